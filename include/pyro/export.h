/* What is visible outside libpyro.so. C and C++. */
#ifndef PYRO_EXPORT_H
#define PYRO_EXPORT_H

#define PYRO_API __attribute__((visibility("default")))
#define PYRO_LOCAL __attribute__((visibility("hidden")))

#endif
