"""`pyro workspace shell attach`, driven in tmux: a real terminal, full-screen programs, and what is left of it."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile

import harness
import pytest
import workspaces
from workspaces import ok

DETACH = "C-]"
# Run in the guest, though they come from the host: both are Debian 12. The guest has its own C library.
FULL_SCREEN = ("vim", "less", "htop")
GUEST_HAS = ("ld-linux", "libc.so", "linux-vdso")


class Terminal:
    """A tmux of its own with one window, in which a command runs between two looks at the terminal's settings."""

    def __init__(self, host, *words, columns=100, rows=30):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pyro-tmux-", dir="/tmp"))
        self.socket = str(self.folder / "tmux")
        script = self.folder / "script"
        command = shlex.join([str(w) for w in (harness.PYRO, "workspace", "shell", "attach", *words)])
        script.write_text(
            f"stty -g > before\n{command}\ncode=$?\nstty -g > after\necho $code > code.new\nmv code.new code\ncat > /dev/null\n"
        )
        subprocess.run(
            [*self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows)), f"cd {self.folder} && sh script"],
            check=True,
            env=host.settings({}),
        )

    def tmux(self, *words):
        return ["tmux", "-S", self.socket, *words]

    def keys(self, *keys):
        subprocess.run([*self.tmux("send-keys"), *keys], check=True)

    def type(self, text):
        subprocess.run([*self.tmux("send-keys", "-l"), text], check=True)
        self.keys("Enter")

    def resize(self, columns, rows):
        subprocess.run(self.tmux("resize-window", "-x", str(columns), "-y", str(rows)), check=True)

    def screen(self):
        return subprocess.run(self.tmux("capture-pane", "-p"), check=True, capture_output=True, text=True).stdout

    def flag(self, name):
        """A state of the terminal as tmux sees it: alternate_on, cursor_flag, mouse_any_flag."""
        shown = subprocess.run(self.tmux("display-message", "-p", f"#{{{name}}}"), check=True, capture_output=True, text=True)
        return shown.stdout.strip()

    def selected(self):
        """Which line below htop's header is the selected one: cyan, as the line of keys at the bottom."""
        command = self.tmux("capture-pane", "-p", "-e")
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        header = next((n for n, line in enumerate(lines) if "PID" in line and "USER" in line), len(lines))
        return min((n for n, line in enumerate(lines) if n > header and "46m" in line), default=header) - header

    def wait(self, pattern):
        """Until the screen matches."""
        try:
            harness.wait_until(lambda: re.search(pattern, self.screen()), bound=60, what=pattern)
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen:\n{self.screen()}") from error

    def code(self):
        """The command's exit code; its terminal is as it was before."""
        harness.wait_until((self.folder / "code").exists, bound=60, what="the end of attach")
        assert (self.folder / "before").read_text() == (self.folder / "after").read_text()
        assert self.flag("alternate_on") == "0"
        assert self.flag("cursor_flag") == "1"
        assert self.flag("mouse_any_flag") == "0"
        return int((self.folder / "code").read_text())

    def assert_detaches(self):
        self.keys(DETACH)
        assert self.code() == 0

    def process(self):
        """The attached pyro."""
        return harness.wait_until(
            lambda: [p for p in harness.all_pids() if harness.name_of(p) == "pyro" and self.is_ours(p)], what="pyro in the terminal"
        )[0]

    def is_ours(self, pid):
        try:
            return os.readlink(f"/proc/{pid}/cwd") == str(self.folder)
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(self.tmux("kill-server"), check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def carried(space, program):
    """Copies a program of the host and its libraries into the workspace."""
    with tempfile.TemporaryDirectory(prefix="pyro-carry-", dir="/tmp") as folder:
        os.makedirs(f"{folder}/lib")
        path = os.path.realpath(shutil.which(program))
        shutil.copy(path, f"{folder}/{program}")
        for line in subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout.splitlines():
            found = re.search(r"=> (/\S+)", line)
            if found and not any(word in line for word in GUEST_HAS):
                shutil.copy(found[1], f"{folder}/lib")
        ok(space.pyro("sync push", folder, "--dest", "/workspace/carried"))


@pytest.fixture(scope="module")
def space(host):
    with workspaces.one(host, "--name", "attach", "--env", "LD_LIBRARY_PATH=/workspace/carried/lib", keep=True) as workspace:
        for program in FULL_SCREEN:
            carried(workspace, program)
        yield workspace


@pytest.fixture
def terminal(space):
    """Attached to a new shell that has its prompt; without an id it is opened."""
    with Terminal(space.host, space.id) as it:
        it.wait(r"\[attached to shell-\d+; detach with Ctrl-\]\](.|\n)*/workspace#")
        it.shell = re.search(r"attached to (shell-\d+)", it.screen())[1]
        yield it
    space.pyro("shell close", it.shell)


def test_types_and_follows_the_size(terminal):
    terminal.type("stty size; echo six-times-seven-is-$((6*7))")
    terminal.wait(r"\n30 100\n(.|\n)*six-times-seven-is-42")
    terminal.resize(90, 25)
    terminal.type("stty size")
    # With the prompt: what is typed before it is back is lost, as it is on every terminal.
    terminal.wait(r"\n25 90\nroot@attach:/workspace#\s*$")
    # Reaches the guest, and not pyro.
    terminal.keys("C-c")
    terminal.wait(r"\^C\nroot@attach:/workspace#\s*$")
    # The program itself says that it runs: a key that comes while bash starts it may end bash instead.
    terminal.type("sh -c 'echo sleeps-$((6*7)); exec sleep 1000'")
    terminal.wait("sleeps-42")
    terminal.keys("C-c")
    terminal.wait(r"sleeps-42\n\^C\nroot@attach:/workspace#\s*$")
    terminal.type("echo ended-with-$?")
    terminal.wait("ended-with-130")
    terminal.assert_detaches()
    terminal.wait(r"\[detached from shell-\d+; attach again with: (.|\n)*\]")


def test_a_shell_goes_on_without_anybody(space, terminal):
    terminal.type("variable=kept; echo it-is-$variable")
    terminal.wait("it-is-kept")
    terminal.assert_detaches()
    with Terminal(space.host, space.id, terminal.shell) as again:
        again.wait("it-is-kept")  # what it printed last is shown
        again.type("echo and-still-$variable")
        again.wait("and-still-kept")
        again.type("exit 9")
        assert again.code() == 9
        again.wait(r"\[shell-\d+ has ended with exit code 9\]")


def test_detaches_from_a_program_that_reads_nothing(space, terminal):
    terminal.type("echo busy-$((6*7)); sleep 1000")
    terminal.wait("busy-42")
    # More than everything on the way holds: the guest's terminal, the credit, a piece in each process.
    pasted = terminal.folder / "pasted"
    pasted.write_text("".join(f"line {n:6}\n" for n in range(25_000)))
    subprocess.run(terminal.tmux("load-buffer", str(pasted)), check=True)
    subprocess.run(terminal.tmux("paste-buffer"), check=True)
    terminal.wait("line    340")  # echoed: the terminal in the guest is full
    terminal.assert_detaches()
    ok(space.pyro("shell signal", terminal.shell, "--signal", "INT"))


def test_the_last_keys_before_detaching_arrive(space, terminal):
    subprocess.run(terminal.tmux("send-keys", "echo the-last > last-keys", "Enter", DETACH), check=True)
    assert terminal.code() == 0
    harness.wait_until(lambda: space.pyro("file read", "last-keys").out == b"the-last\n", what="what was typed last")


def test_two_at_one_shell(space, terminal):
    with Terminal(space.host, space.id, terminal.shell) as other:
        other.wait("attached to")
        terminal.type("echo seen-by-'both'")
        terminal.wait("seen-by-both")
        other.wait("seen-by-both")
        other.assert_detaches()


def test_vim(space, terminal):
    terminal.type("carried/vim -u NONE -N text")
    terminal.wait(r'\n~ *\n(.|\n)*"text" \[New\]')
    assert terminal.flag("alternate_on") == "1"
    terminal.keys("i")
    terminal.type("written in vim")
    terminal.keys("Escape")
    terminal.resize(80, 20)
    terminal.wait(r"^written in vim\n(.|\n)*~ *\n")
    # Away and back: it is drawn anew.
    terminal.assert_detaches()
    with Terminal(space.host, space.id, terminal.shell, columns=80, rows=20) as again:
        again.wait(r"^written in vim\n\n~")
        assert again.flag("alternate_on") == "1"
        again.type(":wq")
        again.wait(r"/workspace# *\n*$")
        assert again.flag("alternate_on") == "0"
        again.assert_detaches()
    assert space.read("text") == b"written in vim\n\n"


def test_less(terminal):
    terminal.type("seq 1 1000 | carried/less")
    terminal.wait(r"^1\n2\n(.|\n)*29\n:")
    terminal.keys("G")
    terminal.wait(r"\n1000\n\(END\)")
    terminal.keys("q")
    terminal.wait(r"/workspace# *\n*$")
    terminal.assert_detaches()


# A program that has the screen has told the terminal what its keys send, and is not asked to do it again.


def test_less_has_its_keys_in_another_terminal(space, terminal):
    terminal.type("seq 1 1000 | carried/less")
    terminal.wait(r"^1\n2\n(.|\n)*29\n:")
    terminal.assert_detaches()
    with Terminal(space.host, space.id, terminal.shell) as again:
        again.wait(r"^1\n2\n(.|\n)*29\n:")
        assert again.flag("keypad_cursor_flag") == "1"
        again.keys("Down")
        again.wait(r"^2\n3\n(.|\n)*30\n:")
        again.keys("q")
        again.wait(r"/workspace# *\n*$")
        again.assert_detaches()


def test_htop_has_its_keys_and_mouse_in_another_terminal(space, terminal):
    terminal.type("carried/htop")
    terminal.wait(r"PID USER(.|\n)*pyro-agent|PID USER(.|\n)*htop")
    assert terminal.flag("mouse_any_flag") == "1"
    terminal.assert_detaches()
    with Terminal(space.host, space.id, terminal.shell) as again:
        again.wait(r"PID USER(.|\n)*pyro-agent|PID USER(.|\n)*htop")
        assert again.flag("mouse_any_flag") == "1"
        assert again.flag("cursor_flag") == "0"
        assert again.selected() == 1
        again.keys("Down")
        harness.wait_until(lambda: again.selected() == 2, bound=60, what="the next line")
        again.keys("q")
        again.wait(r"/workspace# *\n*$")
        again.assert_detaches()


def test_detaches_by_the_sequence_that_a_program_wants_for_the_key(terminal):
    subprocess.run(terminal.tmux("set-option", "-s", "extended-keys", "on"), check=True)
    terminal.type("carried/vim -u NONE -N")
    terminal.wait(r"\n~ *\n")
    # As xterm sends Ctrl-]; this tmux does so for other keys only.
    terminal.keys("-H", *(f"{byte:x}" for byte in b"\x1b[27;5;93~"))
    assert terminal.code() == 0
    # Keys are what they were before: echoed as they are.
    terminal.keys("C-Tab", "x")
    terminal.wait(r"x\n*$")
    assert "[9;5u" not in terminal.screen()


def test_a_terminal_that_attaches_answers_no_questions_of_the_past(space, terminal):
    terminal.type("carried/vim -u NONE -N")
    terminal.wait(r"\n~ *\n")
    terminal.type(":q")
    terminal.wait(r"/workspace# *\n*$")
    terminal.assert_detaches()
    with Terminal(space.host, space.id, terminal.shell) as again:
        again.wait(r"/workspace# *\n*$")
        again.type("echo done-$((6*7))")
        again.wait(r"\nroot@attach:/workspace# echo done-\$\(\(6\*7\)\)\ndone-42\n")
        again.assert_detaches()


def test_another_key_detaches(space, terminal):
    with Terminal(space.host, space.id, terminal.shell, "--detach-key", "ctrl-\\") as other:
        other.wait(r"detach with Ctrl-\\\]")
        other.type("echo ready-$((6*7)); cat -v")
        other.wait("ready-42")
        other.keys(DETACH, "Enter")
        other.wait(r"\^\]\n")
        other.keys("C-\\")
        assert other.code() == 0
    terminal.keys("C-c")


def test_htop(terminal):
    terminal.type("carried/htop")
    terminal.wait(r"PID USER(.|\n)*pyro-agent|PID USER(.|\n)*htop")
    terminal.keys("q")
    terminal.wait(r"/workspace# *\n*$")
    terminal.assert_detaches()


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_terminal_is_restored_after_a_signal(terminal, signo):
    terminal.type("carried/vim -u NONE -N")
    terminal.wait(r"\n~ *\n")
    os.kill(terminal.process(), signo)
    assert terminal.code() == 128 + signo


def test_the_terminal_is_restored_when_the_supervisor_dies(host):
    with workspaces.one(host) as space, Terminal(host, space.id) as terminal:
        terminal.wait("/workspace#")
        supervisor = space.supervisor()
        os.kill(supervisor, signal.SIGKILL)
        assert terminal.code() == 125
        terminal.wait("supervisor")
        harness.wait_gone([supervisor])


def test_it_needs_a_terminal(space):
    done = space.pyro("shell attach", input=b"")
    assert done.code == 125
    assert "shell read" in done.err.decode()


def test_what_is_no_shell(space):
    with Terminal(space.host, space.id, "shell-999") as terminal:
        assert terminal.code() == 125
        terminal.wait("shell list")
