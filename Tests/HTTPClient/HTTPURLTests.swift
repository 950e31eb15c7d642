import Testing

@testable import HTTPClient

@Suite struct HTTPURLTests {
    @Test(
        arguments: [
            ("http://example.com", "example.com", 80, "/"), ("HTTPS://Example.com:8443/a?b=c#d", "example.com", 8_443, "/a?b=c"),
            ("http://127.0.0.1?x", "127.0.0.1", 80, "/?x"), ("http://[::1]:9/x", "::1", 9, "/x"), ("http://a/%20", "a", 80, "/%20"),
        ] as [(String, String, Int, String)])
    func `an address is taken apart`(text: String, host: String, port: Int, target: String) {
        let url = HTTPURL(text)
        #expect(url?.host == host && url?.port == port && url?.target == target)
    }

    @Test(
        arguments: [
            "", "example.com", "ftp://example.com/", "http://", "http:///x", "http://user@host/", "http://user:pw@host/", "http://host:0/",
            "http://host:70000/", "http://host:x/", "http://ho st/", "http://host/a b", "http://[::1/", "http://[x]/",
            "http://host\\@other/",
            "http://höst/", "http://host/\r\nX: y",
        ])
    func `what two readers could read differently is refused`(text: String) { #expect(HTTPURL(text) == nil) }
}
