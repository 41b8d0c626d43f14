"""Programs in a real terminal: tmux runs them, keys go in, the screen is read."""
import shutil
import subprocess
import tempfile
import time

PATIENCE_S = 20


class Screen:
    """One program in a terminal of its own; `tmux` is a server of its own too, which no configuration touches."""

    def __init__(self, command, width=120, height=36, environment=None):
        self.folder = tempfile.mkdtemp(prefix="troupe-tmux-")
        self.socket = self.folder + "/tmux"
        set_environment = [word for name, value in (environment or {}).items() for word in ("-e", f"{name}={value}")]
        self.tmux("new-session", "-d", "-x", str(width), "-y", str(height), *set_environment, command)

    def tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *words], check=False, capture_output=True,
                              text=True).stdout

    def keys(self, *names):
        """Keys by tmux's names: `Enter`, `C-c`, `Tab`."""
        self.tmux("send-keys", *names)

    def types(self, text, enter=True):
        self.tmux("send-keys", "-l", text)
        if enter:
            self.keys("Enter")

    def text(self, with_colours=False):
        return self.tmux("capture-pane", "-p", *(["-e"] if with_colours else []))

    def everything(self):
        """With what has scrolled away."""
        return self.tmux("capture-pane", "-p", "-S", "-")

    def shows(self, text, since=0):
        """Waits until the screen shows it; false when it never does. `since`: how often it must be seen."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.everything().count(text) > since:
                return True
            time.sleep(0.02)
        return False

    def has_ended(self):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if not self.tmux("list-sessions"):
                return True
            time.sleep(0.02)
        return False

    def close(self):
        self.tmux("kill-server")
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Checks:
    """Counts; prints the screen of what failed."""

    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, what, holds, screen=None):
        if holds:
            self.passed += 1
            return True
        self.failed += 1
        print(f"FAILED: {what}")
        if screen is not None:
            print("\n".join("    | " + line for line in screen.text().rstrip().split("\n")))
        return False

    def report(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
