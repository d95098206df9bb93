"""A small world for tests: a real repository, and ormlift run in it as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

TOY = Path(__file__).with_name("toy.py")


def environment(**more):
    """No configuration of the machine's own: what a test needs of git it says itself."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "ORMLIFT_", "COLUMNS"))}
    return {
        **kept,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONWARNINGS": "error",
        "EMAIL": "",
        **more,
    }


class World:
    """A directory with files, most often a git repository."""

    def __init__(self, root, git=True):
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        if git:
            self.git("init", "--quiet", "--initial-branch=main")
            self.git("config", "user.name", "Tester")
            self.git("config", "user.email", "tester@example.org")

    def git(self, *arguments, check=True):
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=environment(), capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def put(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
        return target

    def commit(self, message="more"):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def command(self, *arguments):
        return [sys.executable, str(TOY), *map(str, arguments)]

    def run(self, *arguments, cwd=None, env=None, **more):
        """Run ormlift with the toy codemod."""
        return subprocess.run(
            self.command(*arguments),
            cwd=cwd or self.root,
            env=environment(**(env or {})),
            capture_output=True,
            text=True,
            check=False,
            **more,
        )

    def read(self, path):
        return (self.root / path).read_bytes()

    def hook(self, name, script):
        target = self.root / ".git/hooks" / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(f"#!/bin/sh\n{script}\n")
        target.chmod(0o755)

    def subjects(self):
        return self.git("log", "--format=%s").splitlines()

    def snapshot(self):
        """Every file's bytes and mode, and the index, to compare by."""
        files = {
            path.relative_to(self.root).as_posix(): (path.read_bytes(), path.stat().st_mode)
            for path in self.root.rglob("*")
            if path.is_file() and ".git" not in path.relative_to(self.root).parts[:1]
        }
        return files, self.git("ls-files", "-s"), self.git("status", "--porcelain")
