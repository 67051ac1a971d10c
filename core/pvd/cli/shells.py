"""The command that prints a script for the shell: completion.

Click's own machinery, but for two things that keys such as `-o train.rounds=3` need: no space after
what goes on, and in bash a word again that it cut at `=` and `:`.
"""

from __future__ import annotations

import io
import os
import threading
from contextlib import redirect_stdout
from typing import Any, ClassVar, TextIO

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from pvd.cli.completing import OPEN

PLACES = {
    "bash": 'Put into ~/.bashrc:  eval "$(pvd completion bash)"',
    "zsh": 'Put into ~/.zshrc, after compinit:  eval "$(pvd completion zsh)"',
    "fish": "pvd completion fish > ~/.config/fish/completions/pvd.fish",
}
FASTER = "Or keep this file and source it there, which begins faster; make it anew after an update."


class Offered:
    """Stands for sys.stdout until a process that a shell asked has ended: what a thread of a
    plug-in prints there, however late, is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._dropped = io.StringIO()

    def __getattr__(self, name: str) -> Any:
        ours = threading.current_thread() is threading.main_thread()
        return getattr(self._stream if ours else self._dropped, name)


class _Alone(ShellComplete):
    """Nothing is printed but what is offered, though a plug-in's file may greet when -p loads it;
    what a shell would not ask (no words, no number) offers nothing."""

    def complete(self) -> str:
        try:
            args, incomplete = self.get_completion_args()
        except (LookupError, ValueError):
            return ""
        with redirect_stdout(io.StringIO()):
            found = self.get_completions(args, incomplete)
        return "\n".join(map(self.format_completion, found))


class Bash(_Alone, BashComplete):
    """Bash cuts words at = and :, and completes only what follows the last cut."""

    source_template: ClassVar[str] = """\
%(complete_func)s() {
    local IFS=$'\\n' response completion type value

    response=$(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
        %(complete_var)s=bash_complete "$1")

    COMPREPLY=()
    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            open) COMPREPLY+=("$value"); compopt -o nospace ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""
    cut = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        # The words stand one a line: an empty one is the last, which is about to be typed.
        count = int(os.environ["COMP_CWORD"]) + 1
        typed = [*os.environ["COMP_WORDS"].split("\n"), ""]
        if not 0 < count <= len(typed):
            raise ValueError(f"There is no word {count - 1}.")
        typed = typed[:count]
        words: list[str] = []
        for number, word in enumerate(typed):
            if number and (word in ("=", ":") or typed[number - 1] in ("=", ":")):
                words[-1] += word
            else:
                words.append(word)
        last = typed[-1]
        self.cut = words[-1].removesuffix(last) if last not in ("=", ":") else words[-1]
        # Without the quotes that are part of what was typed.
        plain = [" ".join(split_arg_string(word)) for word in words]
        return plain[1:-1], plain[-1]

    def format_completion(self, item: CompletionItem[Any]) -> str:
        return f"{item.type},{str(item.value).removeprefix(self.cut)}"


class _Whole(_Alone):
    """Shells that replace the whole word: what click cut off `--teacher=gem` comes back."""

    cut = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        option, equals, _ = incomplete.partition("=")
        self.cut = f"{option}=" if option.startswith("--") and equals else ""
        return args, incomplete

    def format_completion(self, item: CompletionItem[str]) -> str:
        whole = CompletionItem(f"{self.cut}{item.value}", item.type, item.help)
        return super().format_completion(whole)


class Zsh(_Whole, ZshComplete):
    """With the type of what goes on."""

    source_template: ClassVar[str] = ZshComplete.source_template.replace(
        '        elif [[ "$type" == "dir" ]]; then',
        f"""        elif [[ "$type" == "{OPEN}" ]]; then
            compadd -U -S '' -V unsorted -- "$key"
        elif [[ "$type" == "dir" ]]; then""",
    )


class Fish(_Whole, FishComplete):
    """Fish itself sets no space after = . and /."""

    def format_completion(self, item: CompletionItem[str]) -> str:
        plain = CompletionItem(item.value, "plain" if item.type == OPEN else item.type, item.help)
        return super().format_completion(plain)


for made in (Bash, Zsh, Fish):
    add_completion_class(made)


@click.command()
@click.argument("shell", type=click.Choice(list(PLACES)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script with which your shell completes what you type.

    It offers commands, options, plug-ins, run folders, and what -o sets.
    """
    script = get_completion_class(shell)
    assert script is not None
    made = script(ctx.find_root().command, {}, "pvd", "_PVD_COMPLETE")
    click.echo(f"# {PLACES[shell]}\n# {FASTER}\n")
    click.echo(made.source_template % made.source_vars())  # asks no bash for its version
