include(StaticAgent)
