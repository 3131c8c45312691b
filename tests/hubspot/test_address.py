from pipeline.hubspot.address import is_loopback


def test_only_addresses_of_this_machine_are_loopback():
    assert all(map(is_loopback, ["127.0.0.1", "127.255.255.254", "::1", "localhost"]))
    assert not any(map(is_loopback, ["127.0.0.1.example.com", "128.0.0.1", "::2", "notlocalhost", "", "0"]))
