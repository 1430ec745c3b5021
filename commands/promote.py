"""``headrace promote``: let readers use another namespace, or the one before."""

from __future__ import annotations

import click

from infra.settings import load_settings


@click.command()
@click.argument("name", required=False)
@click.option("--back", is_flag=True, help="The namespace that readers used before.")
@click.option("--force", is_flag=True, help="Though something is missing.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, back: bool, force: bool, config: str | None, home: str | None, as_json: bool) -> None:
    """Let readers use another namespace, in one step, once its workers are up to date.

    Its lists must be there, its workers must run, and what was published until now must be applied within a second or
    so. Readers follow within a few seconds; workers of both namespaces go on, so that --back finds the lists fresh.

    \b
    Examples:
      headrace promote next
      headrace promote --back
    """
    import orjson

    from infra.errors import HeadraceError
    from infra.local import find_services
    from infra.redis import connect
    from serving.store.namespaces import Namespaces
    from streams.replaying.promotion import missing

    if (name is None) != back:
        raise click.UsageError("say which namespace, or --back")
    configured = load_settings(config, home=home)
    settings = find_services(configured)
    namespaces = Namespaces(connect(settings.redis.url), settings.redis.prefix, configured.namespace)
    target = name or namespaces.previous()
    if target is None:
        raise HeadraceError("readers have used no other namespace before: there is nothing to go back to")
    lacks = missing(find_services(load_settings(config, home=home, namespace=target)), namespaces)
    if lacks and not force:
        raise HeadraceError(f"{target} is not ready: {'; '.join(lacks)}. --force promotes it all the same")
    before = namespaces.activate(target)
    if as_json:
        click.echo(orjson.dumps({"active": target, "before": before, "missing": lacks}))
        return
    for lack in lacks:
        click.secho(f"all the same: {lack}", fg="yellow", err=True)
    said = "was active already" if before == target else f"is active now, {before} was before"
    click.echo(f"{target} {said}")
