"""Models over HTTP: facts, flat, with the price in force."""

from tests.api.stage import MODEL_BODY, NANO_PER_MILLION, Stage


async def test_new_model_has_no_price_until_one_is_set(stage: Stage) -> None:
    created = await stage.ask("admin", "POST", "/models", MODEL_BODY | {"name": "other"})
    assert created.status_code == 201
    assert created.json()["price_id"] is None
    assert {name: created.json()[name] for name in MODEL_BODY} == MODEL_BODY | {"name": "other"}
    body = {"model_id": created.json()["id"], "currency": "CNY", "nano_per_million": NANO_PER_MILLION}
    price = await stage.ask("admin", "POST", "/prices", body)
    found = await stage.ask("developer", "GET", f"/models/{created.json()['id']}")
    assert found.json()["price_id"] == price.json()["id"]


async def test_models_are_public_with_their_prices(stage: Stage) -> None:
    for who in ("developer", "provider", "stranger"):
        listed = (await stage.ask(who, "GET", "/models")).json()["items"]
        assert [(line["name"], line["price_id"]) for line in listed] == [
            ("smollm2-135m-instruct", str(stage.ids["price"]))
        ]


async def test_answer_longer_than_the_context_is_refused(stage: Stage) -> None:
    answer = await stage.ask("admin", "POST", "/models", MODEL_BODY | {"name": "other", "output_tokens_max": 4096})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "output_tokens_max")


async def test_number_that_no_database_stores_is_refused_with_its_field(stage: Stage) -> None:
    answer = await stage.ask("admin", "POST", "/models", MODEL_BODY | {"name": "other", "parameter_count": 2**63})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "parameter_count")
