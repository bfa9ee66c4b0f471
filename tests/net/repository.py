"""A git repository that any web server can serve."""

import os
import subprocess


def publish(folder, work, content):
    """Makes folder/repo.git with one commit that has `content` in a file called file; `work` is for what it takes."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(work)}
    source = work / "source"

    def git(*words):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True, env=env, timeout=60)

    git("init", "-q", str(source))
    (source / "file").write_bytes(content)
    git("-C", str(source), "add", ".")
    git("-C", str(source), "commit", "-qm", "one")
    git("clone", "-q", "--bare", str(source), str(folder / "repo.git"))
    git("-C", str(folder / "repo.git"), "update-server-info")
