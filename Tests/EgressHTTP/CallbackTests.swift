import Bus
import Configuration
import HTTPProvider
import Message
import ServiceKit
import SwiftProtobuf
import Testing

@testable import EgressHTTP

struct `Calls of providers` {
    static func target(_ lines: [(String, String)] = []) throws -> CallbackTarget {
        let base = [("CALLBACK_LISTEN", "127.0.0.1:1"), ("CALLBACK_ID", "param:id"), ("CALLBACK_STATUS", "param:s")]
        let connector = try `What templates are given of a message`.http(base + lines)
        #expect(connector.dlrSupport)
        return CallbackTarget(connector: "out", callback: try #require(connector.providerHTTP?.callback))
    }

    static func call(
        _ parameters: [String: String] = ["id": "7", "s": "DELIVRD"], method: String = "GET", authorization: String? = nil,
        remote: String? = "192.0.2.7"
    ) -> ProviderCall {
        ProviderCall(
            method: method, authorization: authorization, remote: remote, document: ReceivedDocument(body: [], parameters: parameters))
    }

    /// The status of a refusal; nil where it is kept.
    static func refusal(_ call: ProviderCall, _ target: CallbackTarget) -> Int? {
        if case .refuse(let status, _) = CallbackDecision(call, target, now: 5) { status } else { nil }
    }

    @Test func `become receipts under the key of their message`() throws {
        guard case .keep(let records) = CallbackDecision(Self.call(), try Self.target(), now: 5) else {
            Issue.record("refused")
            return
        }
        #expect(records.map(\.topic) == [Topics.receipts] && records[0].key == Array(receiptKey("out", "7").utf8))
        let receipt = try Receipt(serializedBytes: records[0].value)
        #expect(receipt.smscid == "7" && receipt.status == .delivered && receipt.connector == "out" && receipt.receivedAt == 5)
    }

    @Test func `must show the token`() throws {
        let target = try Self.target([("CALLBACK_TOKEN", "s3cret")])
        #expect(Self.refusal(Self.call(), target) == 401)
        #expect(Self.refusal(Self.call(authorization: "Bearer s3creT"), target) == 401)
        #expect(Self.refusal(Self.call(authorization: "Bearer s3cret"), target) == nil)
        #expect(Self.refusal(Self.call(["id": "7", "s": "sent", "token": "s3cret"]), target) == nil)
        #expect(Self.refusal(Self.call(["id": "7", "s": "sent", "token": "s3cret0"]), target) == 401)
    }

    @Test func `come from where they may`() throws {
        let target = try Self.target([("CALLBACK_ACCESS", "192.0.2.0/24, 2001:db8::/32")])
        #expect(Self.refusal(Self.call(), target) == nil && Self.refusal(Self.call(remote: "2001:db8::1"), target) == nil)
        #expect(Self.refusal(Self.call(remote: "198.51.100.1"), target) == 403 && Self.refusal(Self.call(remote: nil), target) == 403)
    }

    @Test func `are refused for what is wrong with them`() throws {
        let target = try Self.target()
        #expect(Self.refusal(Self.call(method: "DELETE"), target) == 405)
        #expect(Self.refusal(Self.call([:]), target) == 400)
        #expect(Self.refusal(Self.call(["id": "7", "s": "hm"]), target) == 400)
    }
}
