"""Completion for shells, written from the parser."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hitl_client.cli.asking import Exit
from hitl_client.cli.terminal import show


@dataclass(frozen=True)
class Option:
    """What can follow a command: an option, or (`flag` is empty) a word; `takes` says of what kind."""

    flag: str
    words: str
    choices: tuple[str, ...]
    takes: str


@dataclass(frozen=True)
class Command:
    """A command and what can follow it."""

    name: str
    words: str
    options: tuple[Option, ...]

    @property
    def flags(self) -> str:
        """All options and words, ready for a list of words of a shell."""
        words = (
            word for option in self.options for word in ((option.flag,) if option.flag else option.choices)
        )
        return " ".join(words)


def write(options: argparse.Namespace) -> Exit:
    """Print the completion of a shell."""
    show(SHELLS[options.shell](list(commands_of(options.build()))))
    return Exit.APPROVED


def commands_of(parser: argparse.ArgumentParser) -> Iterator[Command]:
    """Yield the commands of a parser."""
    [sub] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    about = {said.dest: said.help or "" for said in sub._choices_actions}
    for name, command in sub.choices.items():
        yield Command(name, about[name], tuple(map(_option, command._actions)))


def bash(commands: list[Command]) -> str:
    """Return the completion of bash."""
    names = " ".join(command.name for command in commands)
    lines = [
        "_hitl() {",
        '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"',
        '    if (( COMP_CWORD == 1 )); then COMPREPLY=($(compgen -W "'
        + names
        + ' --help" -- "$word")); return; fi',
        '    case "${COMP_WORDS[1]} $before" in',
        *(
            f'        "{command.name} {option.flag}") {_bash_values(option)}; return;;'
            for command in commands
            for option in command.options
            if option.flag and (option.choices or option.takes)
        ),
        "    esac",
        '    case "${COMP_WORDS[1]}" in',
        *(f'        {one.name}) COMPREPLY=($(compgen -W "{one.flags}" -- "$word"));;' for one in commands),
        "    esac",
        "}",
        "complete -F _hitl hitl",
    ]
    return "\n".join(lines)


def zsh(commands: list[Command]) -> str:
    """Return the completion of zsh."""
    lines = [
        "#compdef hitl",
        "_hitl() {",
        "    if (( CURRENT == 2 )); then",
        "        local -a names=("
        + " ".join(shlex.quote(f"{one.name}:{one.words}") for one in commands)
        + ")",
        "        _describe command names; return",
        "    fi",
        '    case "${words[2]} ${words[CURRENT-1]}" in',
        *(
            f'        "{command.name} {option.flag}") {_zsh_values(option)}; return;;'
            for command in commands
            for option in command.options
            if option.flag and (option.choices or option.takes)
        ),
        "    esac",
        "    case ${words[2]} in",
        *(f"        {one.name}) compadd -- {one.flags};;" for one in commands),
        "    esac",
        "}",
        '[[ $zsh_eval_context[-1] == loadautofunc ]] && _hitl "$@" || compdef _hitl hitl',
    ]
    return "\n".join(lines)


def fish(commands: list[Command]) -> str:
    """Return the completion of fish."""
    lines = ["complete -c hitl -f"]
    for command in commands:
        lines.append(
            f"complete -c hitl -n __fish_use_subcommand -a {command.name} -d {shlex.quote(command.words)}"
        )
        inside = f"complete -c hitl -n '__fish_seen_subcommand_from {command.name}'"
        for option in command.options:
            choices = f" -a {shlex.quote(' '.join(option.choices))}" if option.choices else ""
            if option.flag:
                takes = " -r -F" if option.takes == "FILE" else " -x" if choices or option.takes else ""
                long = option.flag.removeprefix("--")
                lines.append(f"{inside} -l {long} -d {shlex.quote(option.words)}{takes}{choices}")
            elif choices:
                lines.append(inside + choices)
    return "\n".join(lines)


def _option(action: argparse.Action) -> Option:
    flag = next((name for name in action.option_strings if name.startswith("--")), "")
    takes = "" if action.nargs == 0 else str(action.metavar or action.dest)
    return Option(flag, action.help or "", tuple(action.choices or ()), takes)


def _bash_values(option: Option) -> str:
    if option.choices:
        return f'COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$word"))'
    return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$word"))' if option.takes == "FILE" else ":"


def _zsh_values(option: Option) -> str:
    if option.choices:
        return f"compadd -- {' '.join(option.choices)}"
    return "_files" if option.takes == "FILE" else ":"


SHELLS: dict[str, Callable[[list[Command]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
