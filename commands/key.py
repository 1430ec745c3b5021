"""``headrace key``: make an API key for the HTTP service."""

from __future__ import annotations

import click


@click.command()
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(["read", "write", "admin"]),
    default=["read"],
    show_default=True,
    help="What it allows; may be repeated; admin = everything.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str, roles: tuple[str, ...], as_json: bool) -> None:
    """Make an API key for whoever NAME is, and print it with the lines that the settings need.

    The key is shown here and kept nowhere: the settings hold its SHA-256. Send it as `Authorization: Bearer KEY`.

    \b
    Example:
      headrace key shop --role read
    """
    import msgspec
    import orjson

    from infra.errors import SettingsError
    from infra.settings import ApiKey
    from serving.edge.access import new_key

    key, digest = new_key()
    try:
        made = msgspec.convert({"name": name, "sha256": digest, "roles": list(dict.fromkeys(roles))}, ApiKey)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{name!r} cannot name a key: letters, digits, '.', '_' and '-', at most 64") from error
    if as_json:
        click.echo(orjson.dumps({"key": key, **msgspec.to_builtins(made)}))
        return
    click.echo(f"The key, for whoever calls: {key}")
    click.echo("In the settings of `headrace serve`:")
    click.echo(f"\n[[serving.keys]]\nname = {_toml(made.name)}\nsha256 = {_toml(digest)}")
    click.echo(f"roles = [{', '.join(map(_toml, made.roles))}]")


def _toml(text: str) -> str:
    return f'"{text}"'
