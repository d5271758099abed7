from tests.api.support import Api


async def test_slice(api: Api) -> None:
    account = await api.data(
        "POST", "/telegram-accounts", status=202, json={"kind": "user", "phone": "+49 151 2345678"}
    )
    print(account)
    c = await api.campaign()
    print(c)
    r = await api.import_csv(c["id"], "handle,first_name\n@jane_doe,Jane\nJANE_DOE,x\n@1,bad\n")
    print(r)
    print(await api.call("GET", f"/imports/{r['id']}/errors"))
    print(await api.data("POST", f"/campaigns/{c['id']}/start"))
    print(await api.call("GET", f"/campaigns/{c['id']}/logs"))
    print(await api.call("GET", f"/campaigns/{c['id']}/senders"))
    print(await api.call("GET", "/campaigns"))
