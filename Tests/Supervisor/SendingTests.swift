import SMPP
import Testing

@testable import Supervisor

@Suite struct SendingTests {
    private func request(to destination: String = "46701234567", text: String = "hello", count: Int = 1, from source: String = "Signalbox")
        -> SendRequest
    {
        SendRequest(
            host: "127.0.0.1", port: 1, account: "demo", password: "secret", source: source, destination: destination, text: text,
            count: count)
    }

    @Test(
        arguments: [
            ("Signalbox", TypeOfNumber.alphanumeric, NumberingPlan.unknown, "Signalbox"),
            ("+46700000000", .international, .isdn, "46700000000"),
            ("71234", .unknown, .isdn, "71234"), ("Ett namn", .alphanumeric, .unknown, "Ett namn"),
        ] as [(String, TypeOfNumber, NumberingPlan, String)])
    func `a sender is a number or a name`(text: String, ton: TypeOfNumber, npi: NumberingPlan, value: String) throws {
        #expect(try MessageSender.sender(text) == SMEAddress(ton: ton, npi: npi, value: value))
    }

    @Test(arguments: ["", "twelve chars", "имя", "123456789012345678901"])
    func `a sender that no phone could show is refused`(text: String) {
        #expect(throws: UpError.self) { try MessageSender.sender(text) }
    }

    @Test(arguments: ["", "abc", "+", "123456789012345678901", "12 34"])
    func `a recipient that is no number is refused`(text: String) {
        #expect(throws: UpError.self) { try MessageSender.parts(request(to: text)) }
    }

    @Test func `a short text is one message that asks for its report`() throws {
        let parts = try MessageSender.parts(request(to: "+46701234567"))
        #expect(parts.count == 1)
        #expect(parts[0].destinationAddr == SMEAddress(ton: .international, npi: .isdn, value: "46701234567"))
        #expect(parts[0].registeredDelivery == .final && parts[0].esmClass == .default && parts[0].shortMessage == Array("hello".utf8))
    }

    @Test func `a long text is sent in parts with a user data header`() throws {
        let parts = try MessageSender.parts(request(text: String(repeating: "x", count: 161), count: 2))
        #expect(parts.count == 4)
        #expect(parts.allSatisfy { $0.esmClass == .userDataHeader && $0.shortMessage.count <= 140 + 20 })
        // Each copy has its own reference.
        #expect(parts[0].shortMessage[3] == parts[1].shortMessage[3] && parts[0].shortMessage[3] != parts[2].shortMessage[3])
    }

    @Test(arguments: [0, -1, 100_001])
    func `a count out of bounds is refused`(count: Int) {
        #expect(throws: UpError.self) { try MessageSender.parts(request(count: count)) }
    }

    @Test func `nobody there is an error in words`() {
        #expect { try MessageSender.send(request()) } throws: { "\($0)".contains("127.0.0.1:1 does not answer") }
    }
}
