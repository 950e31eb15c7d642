import HTTPClient
import Message
import Store
import Testing

@testable import IngressHTTP

@Suite struct WebhookCallTests {
    static func report(_ status: Status = .delivered, url: String = "", style: String = "", mask: UInt32 = 0) -> ShortMessage {
        var message = ShortMessage()
        message.msgid = 77
        message.type = .deliveryReport
        message.origMsgid = 42
        message.account = "one"
        message.source.number = "46700000001"
        message.source.ton = 1
        message.destination.number = "Shop"
        message.report.status = status
        message.report.smscid = "abc"
        message.report.doneAt = 1_795_251_600_000
        message.report.connector = "out"
        if !url.isEmpty || mask != 0 {
            message.reportCallback.url = url
            message.reportCallback.style = style
            message.reportCallback.mask = mask
        }
        return message
    }

    static let webhook = Webhook(username: "one", reportURL: "https://example.com/reports", secret: "whsec_x")

    @Test func `a signed report says which message it is of`() throws {
        let call = try WebhookCall(Self.report(), webhook: Self.webhook, now: 1_700_000_000_999)
        #expect(call.request.method == "POST" && call.request.url.host == "example.com")
        guard case .object(let members) = try JSONParser.parse(call.request.body) else {
            Issue.record("the body is no object")
            return
        }
        #expect(members["type"] == .string("message.report") && members["message_id"] == .string("42"))
        #expect(members["status"] == .string("delivered") && members["final"] == .bool(true))
        let signature = call.request.headers.first { $0.name == "Signalbox-Signature" }?.value
        #expect(signature == WebhookCall.signature(call.request.body, secret: "whsec_x", at: 1_700_000_000))
    }

    /// RFC 4231, test case 2, is the HMAC of another text under the key "Jefe"; this one is computed with openssl:
    /// `printf '1.{}' | openssl dgst -sha256 -hmac Jefe`.
    @Test func `the signature is HMAC-SHA256 over time, point and body`() {
        let other = WebhookCall.signature(Array("{}".utf8), secret: "Jefe", at: 1)
        #expect(other == "t=1,v1=\(Self.expected)")
    }
    static let expected = "dc7943cccf20f64327d263db5e2aca27c2b8175e8e6e7ea04f482091bf456b0f"

    @Test func `the message's own address comes before the account's`() throws {
        let call = try WebhookCall(Self.report(url: "http://other.example/x", style: "json"), webhook: Self.webhook, now: 0)
        #expect(call.request.url.host == "other.example")
    }

    @Test func `without an address there is nothing to call`() {
        #expect(throws: WebhookCall.Refusal.noAddress) { try WebhookCall(Self.report(), webhook: nil, now: 0) }
        #expect(throws: WebhookCall.Refusal.badAddress("nonsense")) {
            try WebhookCall(Self.report(url: "nonsense", style: "json"), webhook: nil, now: 0)
        }
    }

    @Test func `Kannel's escape codes are filled in`() throws {
        let url = "http://x.example/r?id=7%20a&type=%d&from=%p&to=%P&smsc=%i&time=%T&reply=%A&fid=%F&un=%z"
        let call = try WebhookCall(Self.report(url: url, style: "kannel", mask: 31), webhook: nil, now: 0)
        #expect(
            call.request.url.target
                == "/r?id=7%20a&type=1&from=46700000001&to=Shop&smsc=out&time=1795251600&reply=stat%3ADELIVRD%20err%3A000&fid=abc&un=%z")
        #expect(call.request.method == "GET")
    }

    @Test(
        arguments: [
            (.delivered, true, 1), (.undeliverable, true, 2), (.expired, true, 2), (.rejected, true, 2), (.rejected, false, 16),
            (.expired, false, 16), (.submitted, true, 8), (.buffered, true, 4),
        ] as [(Status, Bool, UInt32)])
    func `a report outside dlr-mask is not wanted`(status: Status, wasTaken: Bool, type: UInt32) throws {
        var report = Self.report(status, url: "http://x/?%d", style: "kannel", mask: type)
        if !wasTaken { report.report.smscid = "" }
        #expect(try WebhookCall(report, webhook: nil, now: 0).request.url.target == "/?\(type)")
        // Who wants to hear of failures hears of every one.
        report.reportCallback.mask = 31 & ~type & (type == 16 ? ~2 : ~0)
        #expect(throws: WebhookCall.Refusal.notWanted) { try WebhookCall(report, webhook: nil, now: 0) }
    }

    @Test func `a failure before the provider is told as one of the phone where only those were asked for`() throws {
        var report = Self.report(.rejected, url: "http://x/?%d", style: "kannel", mask: 3)
        report.report.smscid = ""
        #expect(try WebhookCall(report, webhook: nil, now: 0).request.url.target == "/?2")
    }

    @Test(
        arguments: [
            (.submitted, true, [1, 3], "ESME_ROK"), (.delivered, true, [2, 3], "DELIVRD"), (.undeliverable, true, [2, 3], "UNDELIV"),
            (.rejected, false, [1, 2, 3], "REJECTD"),
        ] as [(Status, Bool, [UInt32], String)])
    func `Jasmin's levels are the provider's answer, the phone's, and both`(
        status: Status, wasTaken: Bool, levels: [UInt32], words: String
    ) throws {
        for level: UInt32 in 1...3 {
            var report = Self.report(status, url: "http://x/", style: "jasmin", mask: level)
            if !wasTaken { report.report.smscid = "" }
            guard levels.contains(level) else {
                #expect(throws: WebhookCall.Refusal.notWanted) { try WebhookCall(report, webhook: nil, now: 0) }
                continue
            }
            let body = String(decoding: try WebhookCall(report, webhook: nil, now: 0).request.body, as: UTF8.self)
            let isFirst = status == .submitted || level == 1
            #expect(body.contains("level=\(isFirst ? 1 : 2)&"))
            #expect(body.contains("message_status=\(isFirst && status == .rejected ? "ESME_RSUBMITFAIL" : words)&"))
        }
    }

    @Test func `Jasmin's endpoints answer in words`() throws {
        let call = try WebhookCall(Self.report(url: "http://x/", style: "jasmin", mask: 2), webhook: nil, now: 0)
        let body = String(decoding: call.request.body, as: UTF8.self)
        #expect(body.contains("id=42&message_status=DELIVRD&level=2"))
        #expect(call.isTaken(HTTPClientResponse(status: 200, headers: [], body: Array("ACK/Jasmin".utf8))))
        #expect(!call.isTaken(HTTPClientResponse(status: 200, headers: [], body: [])))
    }
}

@Suite struct AddressGuardTests {
    @Test(
        arguments: [
            "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
            "255.255.255.255", "224.0.0.1", "::1", "::", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
            "not an address", "",
        ])
    func `an internal address is not called`(address: String) { #expect(!AddressGuard(allowed: []).allows(address)) }

    @Test(arguments: ["8.8.8.8", "172.32.0.1", "193.10.0.1", "2a00:1450:4001::1"])
    func `an address of the internet is called`(address: String) { #expect(AddressGuard(allowed: []).allows(address)) }

    @Test func `an operator may allow a network of his own`() {
        let guardian = AddressGuard(allowed: ["127.0.0.1/32"])
        #expect(guardian.allows("127.0.0.1") && !guardian.allows("127.0.0.2"))
    }
}

@Suite struct WebhookBoardTests {
    typealias Board = WebhookBoard<Int>
    static let slow = Board.Endpoint(account: "slow", origin: "http://slow")
    static let good = Board.Endpoint(account: "good", origin: "http://good")

    @Test func `an endpoint has so many requests at a time`() {
        var board = Board(capacity: 100)
        for item in 1...5 { #expect(board.add(item, to: Self.good, limit: 2, now: 0) == nil) }
        #expect(board.take(Self.good, now: 0) == [1, 2] && board.take(Self.good, now: 0) == [])
        board.finished(Self.good, succeeded: true, started: 0, now: 1)
        #expect(board.take(Self.good, now: 1) == [3])
        #expect(board.waiting == 2 && board.running == 2)
    }

    @Test func `an account's many servers are still one account`() {
        var board = Board(capacity: 100)
        var taken = 0
        for server in 0..<10 {
            let endpoint = Board.Endpoint(account: "one", origin: "http://\(server)")
            for item in 0..<3 { _ = board.add(item, to: endpoint, limit: 2, now: 0) }
            taken += board.take(endpoint, now: 0).count
        }
        #expect(taken == 8)
    }

    @Test func `one that fails is left alone, and tried with one request`() {
        var board = Board(capacity: 100)
        for item in 1...10 { _ = board.add(item, to: Self.slow, limit: 4, now: 0) }
        #expect(board.take(Self.slow, now: 0).count == 4)
        for _ in 1...4 { board.finished(Self.slow, succeeded: false, started: 0, now: 100) }
        #expect(board.take(Self.slow, now: 100).isEmpty)
        // What waits is put off; what comes is, too.
        #expect(board.shed(now: 100).count == 6)
        let until = board.add(11, to: Self.slow, limit: 4, now: 100)
        #expect(until != nil)
        #expect(board.add(12, to: Self.slow, limit: 4, now: until ?? 0) == nil)
        #expect(board.add(13, to: Self.slow, limit: 4, now: until ?? 0) == nil)
        #expect(board.take(Self.slow, now: until ?? 0) == [12])
        board.finished(Self.slow, succeeded: true, started: 4_000, now: 5_000)
        #expect(board.take(Self.slow, now: 5_000) == [13])
    }

    @Test func `where the room gets scarce a slow one waits elsewhere`() {
        var board = Board(capacity: 100)
        for item in 1...60 { _ = board.add(item, to: Self.slow, limit: 2, now: 0) }
        _ = board.take(Self.slow, now: 0)
        #expect(board.shed(now: 100).isEmpty)
        _ = board.add(100, to: Self.good, limit: 2, now: 4_900)
        let shed = board.shed(now: 5_000)
        #expect(shed.count == 56 && shed.allSatisfy { $0.until == 15_000 })
        #expect(board.take(Self.good, now: 5_000) == [100])
        #expect(board.waiting == 2)
    }

    @Test func `a fast one with much to do keeps its place`() {
        var board = Board(capacity: 100)
        for item in 1...90 { _ = board.add(item, to: Self.good, limit: 2, now: 0) }
        for second in Int64(0)..<10 {
            let began = second * 1_000
            #expect(board.take(Self.good, now: began).count == 2)
            for _ in 1...2 { board.finished(Self.good, succeeded: true, started: began, now: began + 20) }
            #expect(board.shed(now: began + 30).isEmpty)
        }
    }

    @Test(
        arguments: [(1, 0, 5_000), (2, 5_000, 30_000), (9, 40_000, 30_000), (2, 80_000, nil)] as [(Int, Int64, Int64?)])
    func `tries wait longer and longer until the delivery is too old`(attempts: Int, age: Int64, wait: Int64?) {
        #expect(RetryPlan(waits: [5, 30], maxAgeSeconds: 100).wait(attempts: attempts, age: age) == wait)
    }
}
