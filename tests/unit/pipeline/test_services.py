import pytest

from ia_modules.errors import ServiceNotFound
from ia_modules.pipeline.services import ServiceRegistry


def test_a_service_is_found_by_its_name_and_replaced_by_registering_another() -> None:
    services = ServiceRegistry({"model": 1})
    services.register("model", 2)
    services.register("mail", None)
    assert (services["model"], services.get("model"), list(services)) == (2, 2, ["model", "mail"])
    assert services.has("mail"), "None is a service too"
    assert "mail" in services


def test_a_service_that_is_not_there_names_those_that_are() -> None:
    services = ServiceRegistry({"model": 1, "mail": 2})
    assert (services.get("modle"), services.get("modle", 3), services.has("modle"), "modle" in services) == (
        None,
        3,
        False,
        False,
    )
    with pytest.raises(ServiceNotFound, match="'modle'.*mail, model") as missing:
        services["modle"]
    assert missing.value.name == "modle"
    with pytest.raises(ServiceNotFound, match="none"):
        ServiceRegistry()["model"]


def test_a_registry_does_not_share_the_mapping_that_it_was_made_of() -> None:
    shared = {"model": 1}
    ServiceRegistry(shared).register("mail", 2)
    assert shared == {"model": 1}
