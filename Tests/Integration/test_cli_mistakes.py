"""What people type wrong, and what they are told: a word about the mistake, a status that is not 0, and nothing done."""

import pytest

MISTAKES = [
    (["account", "add", "demo", "--password", "p"], "already an account demo"),
    (["account", "add", "a b", "--password", "p"], "no blanks"),
    (["account", "add", "x", "--password", "p", "--balance", "1e5"], "write digits with at most one decimal point"),
    (["account", "add", "x", "--password", "p", "--balance", "99999999999999999999"], "out of range"),
    (["account", "add", "x", "--password", "p", "--balance", "0.0000001"], "at most 6 digits"),
    (["account", "add", "x", "--password", "p", "--balance", "-5"], "does not cover -5.00"),
    (["account", "set", "demo"], "nothing is named that is to change"),
    (["account", "set", "demo", "--route", "nowhere"], "no connector or connector group nowhere"),
    (["account", "set", "demo", "--set", "route=smpp-in1"], "clients bind to smpp-in1"),
    (["account", "set", "demo", "--set", "satpoolcreate=p"], "no SATPOOL section p"),
    (["account", "set", "demo", "--set", "routing=/nonexistent"], "routing of the account demo: /nonexistent: cannot read"),
    (["account", "set", "demo", "--set", "nosuch=1"], "no column nosuch"),
    (["account", "topup", "demo", "0"], "the amount is zero"),
    (["account", "topup", "nobody", "5"], "no account nobody"),
    (["account", "lock", "demo", "--until", "2020-01-01"], "lies in the past"),
    (["account", "history", "demo", "--limit=-1"], "--limit lies between 1 and 100000"),
    (["access", "add", "demo", "--network", "300.1.1.1", "--connector", "*"], "write a network as"),
    (["access", "add", "demo", "--network", "4294967296/24", "--connector", "*"], "write a network as"),
    (["access", "add", "demo", "--network", "10.0.0.0/8", "--connector", "nowhere"], "no connector nowhere"),
    (["access", "add", "demo", "--network", "10.0.0.0/8", "--connector", "smpp-providerA"], "nobody logs in there"),
    (["route", "test", "--to", "4670", "--account", "nobody"], "no account nobody"),
    (["route", "test", "--to", "4670", "--in", "nowhere"], "no connector nowhere"),
    (["route", "test", "--to", ""], "--to is empty"),
    (["price", "add", "--prefix", "46", "--charge", "1", "--currency", "eur"], "three capitals"),
    (["price", "add", "--prefix", "46", "--charge=-1"], "lies between 0 and"),
    (["connector", "hold", "smpp-in1"], "hold is for connectors towards providers"),
    (["dlr", "open", "--limit=-1"], "--limit lies between 1 and 100000"),
    (["dlr", "orphans", "--limit=0"], "--limit lies between 1 and 100000"),
]


@pytest.mark.parametrize("words, told", MISTAKES, ids=[" ".join(words[:3]) for words, _ in MISTAKES])
def test_a_mistake_is_named(gateway, words, told):
    done = gateway.run(*words, check=False)
    assert done.returncode in (1, 64) and told in done.stderr, done.stderr
    assert "database error" not in done.stderr


FILES = [
    ("price", "", "line 1: the first line names the columns"),
    ("price", "prefix,charge\n", "line 1: no prices follow"),
    ("price", "prefix,charge\n46,1\n46,2\n", "line 3: the same scope"),
    ("price", "prefix,charge\n46,1,2\n\"47,1\n", "line 3: a quoted field does not end"),
    ("price", "prefix,charge\n46,\N{SNOWMAN}\n", "line 2: charge \N{SNOWMAN}: not an amount"),
    ("route", "prefix,out_connector\n", "line 1: no routes follow"),
    ("route", "prefix,out_connector\n46,nowhere\n47x,smpp-providerA\n48,smpp-providerA,9\n", "line 3: a prefix is"),
    ("route", "prefix,out_connector\n46,nowhere\n47x,smpp-providerA\n48,smpp-providerA,9\n", "line 2: there is no connector"),
    ("route", "prefix,out_connector\n46,nowhere\n47x,smpp-providerA\n48,smpp-providerA,9\n", "line 4: 3 fields"),
    ("account", "username,password,charge_balance\nx1,p,abc\n", "line 2: charge_balance abc"),
    ("account", "username,nosuch\nx1,p\n", "line 1: unknown column nosuch"),
]


@pytest.mark.parametrize("what, content, told", FILES)
def test_a_file_with_a_fault_changes_nothing(gateway, tmp_path, what, content, told):
    before = gateway.json(what, "list")
    (tmp_path / "file.csv").write_text(content)
    done = gateway.run(what, "import", tmp_path / "file.csv", *(["--replace"] if what != "account" else []), check=False)
    assert done.returncode == 1 and told in done.stderr, done.stderr
    assert gateway.json(what, "list") == before


def test_a_fault_of_access_rows_is_told_with_their_file(gateway, tmp_path):
    users, access = tmp_path / "users.csv", tmp_path / "access.csv"
    users.write_text("userid,username,password\n1,imported,x\n")
    access.write_text("userid,ipaddress,ipmask,connector\n1,99999999999,24,*\n")
    done = gateway.run("account", "import", users, "--access", access, check=False)
    assert done.returncode == 1 and f"{access}: line 2: ipaddress is a whole number" in done.stderr


def test_emgs_integers_name_a_network(gateway):
    made = gateway.run("account", "add", "Ünïcødé☃", "--password", "p").stdout
    assert "Ünïcødé☃" in made
    gateway.run("access", "add", "Ünïcødé☃", "--network", "3232235520/24", "--connector", "*")
    (row,) = gateway.json("access", "list", "Ünïcødé☃")["access"]
    assert row["access"]["network"] == "192.168.0.0/24"
    row = gateway.sql("SELECT ipaddress, ipmask, ipstr, ipwidth FROM emguseraccess a JOIN emguser u USING (userid) WHERE username = 'Ünïcødé☃'")
    assert row == [(3232235520, 24, "192.168.0.0", 24)]


def test_the_same_route_twice_is_told(gateway):
    gateway.run("route", "add", "--prefix", "999", "--connector", "smpp-providerA")
    done = gateway.run("route", "add", "--prefix", "999", "--connector", "smpp-providerA")
    assert "says the same already" in done.stderr
    for route in gateway.json("route", "list")["routes"]:
        if route["prefix"] == "999":
            gateway.run("route", "rm", route["routeid"])
