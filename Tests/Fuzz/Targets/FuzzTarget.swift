import Charset
import NIOCore
import SMPP

/// What is fuzzed, and what must hold for any octets. The same functions serve libFuzzer (`make fuzz`) and the short run in
/// `make test`; what must not be ends the process by a trap, which libFuzzer reports with the input.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case pdu, receipt, udh, session

    public func run(_ octets: UnsafeRawBufferPointer) {
        switch self {
        case .pdu: Self.pdu(octets)
        case .receipt: Self.receipt(octets)
        case .udh: Self.udh(octets)
        case .session: Self.session(octets)
        }
    }

    private static func hold(_ condition: Bool, _ what: StaticString) {
        precondition(condition, "\(what)")
    }

    /// The framer finds the same whether the octets come at once or in pieces; a request that decodes encodes to the same
    /// octets; everything that decodes can be read, changed and encoded; an error points into the PDU.
    private static func pdu(_ octets: UnsafeRawBufferPointer) {
        let stream = ByteBuffer(bytes: octets)
        var whole: [Framed] = []
        var framer = Framer()
        var copy = stream
        framer.append(&copy)
        var start = 0
        while let framed = framer.next() {
            whole.append(framed)
            let end = octets.count - framer.pendingOctets
            switch framed {
            case .pdu(let pdu):
                var encoded = ByteBuffer()
                do throws(PDUError) {
                    try pdu.encode(into: &encoded)
                } catch {
                    hold(false, "what was decoded cannot be encoded")
                }
                if !pdu.commandID.isResponse {
                    hold(encoded.readableBytesView.elementsEqual(octets[start..<end]), "a request encodes to other octets")
                }
                hold(Framer.decode(encoded) == .pdu(pdu), "what was encoded decodes to something else")
                touch(pdu.body)
            case .malformedRequest(_, _, let error), .malformedResponse(_, _, let error):
                hold(error.offset >= 16 && error.offset <= end - start, "an error points outside its PDU")
            case .unknownCommand: break
            case .framingLost: hold(framer.next() == nil, "the framer goes on after it lost its way")
            }
            start = end
        }
        let piece = max(1, Int(octets.first ?? 1) % 37)
        var slow = Framer()
        var pieces: [Framed] = []
        var rest = stream
        while rest.readableBytes > 0, var part = rest.readSlice(length: min(piece, rest.readableBytes)) {
            slow.append(&part)
            while let framed = slow.next() { pieces.append(framed) }
        }
        // A length that cannot be is told before the rest of its header is there, so its sequence number may be missing.
        hold(pieces.count == whole.count, "pieces give another number of PDUs")
        for (one, other) in zip(pieces, whole) {
            if case .framingLost = one, case .framingLost = other { continue }
            hold(one == other, "pieces give other PDUs")
        }
    }

    /// Reads every field, and changes one.
    private static func touch(_ body: PDU.Body) {
        switch body {
        case .submitSm(var message), .deliverSm(var message):
            for tlv in message.tlvs { _ = tlv.description }
            _ = SMPPTime.parse(message.validityPeriod, now: 1_795_262_400_000)
            _ = SMPPTime.parse(message.scheduleDeliveryTime, now: .max)
            _ = DeliveryReceipt(message)
            let text = message.shortMessage
            message.serviceType = ""
            hold(message.shortMessage == text, "a change of one field changed another")
            _ = DecodedBody(octets: message.userData, dataCoding: message.dataCoding.rawValue)
        case .dataSm(let message): _ = DeliveryReceipt(message)
        default: break
        }
        _ = try? body.adapted(to: .v33, fromSMSC: true)
    }

    /// Whatever the text, what was found is written and read again as the same.
    private static func receipt(_ octets: UnsafeRawBufferPointer) {
        let receipt = DeliveryReceipt(text: Array(octets))
        if let submit = receipt.submitDate { _ = SMPPTime.parseReceiptDate(submit, now: 1_795_262_400_000) }
        if let done = receipt.doneDate { _ = SMPPTime.parseReceiptDate(done, now: .min) }
        guard let id = receipt.messageID else { return }
        let again = DeliveryReceipt(text: DeliveryReceipt(messageID: id, state: receipt.state, statWord: receipt.statWord).encodedText)
        // An id that ends in a separator of some dialect is read without it the second time.
        if id.utf8.allSatisfy({ $0 < 0x80 && $0 != 0x2C && $0 != 0x3B && $0 != 0x3A }) {
            hold(again.messageID == id, "a receipt's id does not come back")
        }
    }

    /// A header that parses is written as it came; what it says of parts and tables is in bounds; and text behind it is
    /// split and joined again.
    private static func udh(_ octets: UnsafeRawBufferPointer) {
        let data = Array(octets)
        var text = data[...]
        var tables = ShiftTables.none
        var elements: [UserDataHeader.Element] = []
        if let (header, length) = UserDataHeader.parse(data) {
            hold(length >= 1 && length <= data.count, "a header longer than its octets")
            if !header.elements.isEmpty { hold(header.octets == Array(data[..<length]), "a header is written differently") }
            if let part = header.concatenation {
                hold(part.sequence >= 1 && part.sequence <= part.total, "a part number that cannot be")
            }
            text = data[length...]
            tables = header.shiftTables
            elements = header.contentElements
        }
        let string = GSM7.decode(text, tables: tables)
        if let septets = GSM7.encode(string, tables: tables) {
            hold(GSM7.decode(septets, tables: tables).unicodeScalars.elementsEqual(string.unicodeScalars), "septets lose text")
            hold(GSM7.unpack(GSM7.pack(septets), count: septets.count) == septets, "packing loses septets")
        }
        for coding in [UInt8(0), 3, 4, 8, UInt8(truncatingIfNeeded: data.count), data.first ?? 0] {
            _ = DecodedBody(octets: Array(text), dataCoding: coding, shiftTables: tables)
        }
        let encoded = EncodedText.choose(string, options: EncodingOptions(nationalLanguages: [.turkish, .hindi]))
        let options = SegmentationOptions(referenceWidth: data.count % 2 == 0 ? .bits8 : .bits16, elements: elements)
        if let segments = try? Segmenter.segments(encoded, options: options, reference: 7) {
            hold(segments.flatMap(\.octets) == encoded.octets, "splitting loses octets")
            hold(segments.count == Segmenter.count(encoded, options: options), "parts are counted differently")
        }
    }

    /// Events from the octets, four for each: the machine never answers a response, a context leaves at most once, and the
    /// window keeps to its bound.
    private static func session(_ octets: UnsafeRawBufferPointer) {
        let configuration = SessionConfiguration(
            bindTimeoutMilliseconds: 500, responseTimeoutMilliseconds: 300, enquireLinkIntervalMilliseconds: 200,
            enquireLinkTimeoutMilliseconds: 100, idleTimeoutMilliseconds: 900, unbindTimeoutMilliseconds: 100, window: 4, incomingWindow: 3)
        var reader = octets.makeIterator()
        func next() -> UInt8? { reader.next() }
        var driver = SessionDriver(role: octets.count % 2 == 0 ? .smsc : .esme, configuration: configuration)
        while let event = next() { driver.event(event, next() ?? 0, next() ?? 0, next() ?? 0) }
        driver.finish()
    }
}

/// Plays events to a session and watches it.
private struct SessionDriver {
    private var session: Session<Int>
    private var now: Int64 = 0
    private var given: Set<Int> = []
    private var issued = 0
    private var buffer = ByteBuffer()

    init(role: Session<Int>.Role, configuration: SessionConfiguration) {
        self.session = Session(role: role, configuration: configuration, now: 0)
    }

    mutating func event(_ kind: UInt8, _ first: UInt8, _ second: UInt8, _ third: UInt8) {
        self.now += Int64(third % 64)
        switch kind % 16 {
        case 0...6:
            self.receive(PDU(Self.body(first), sequenceNumber: UInt32(second % 8), commandStatus: third % 4 == 3 ? .systemError : .ok))
        case 7:
            let error = PDUError(field: "x", offset: 16, problem: .truncated, status: .invalidCommandLength)
            let command = Self.body(first).commandID
            self.check(
                self.session.received(
                    command.isResponse
                        ? .malformedResponse(command, sequenceNumber: UInt32(second), error)
                        : .malformedRequest(command, sequenceNumber: UInt32(second), error), now: self.now), isResponse: command.isResponse)
        case 8:
            let command = CommandID(rawValue: first % 2 == 0 ? 0x8000_0F00 : 0xF00)
            self.check(
                self.session.received(.unknownCommand(command, sequenceNumber: UInt32(second)), now: self.now),
                isResponse: command.isResponse)
        case 9:
            if first == 0 {
                self.check(self.session.received(.framingLost(commandLength: 3, sequenceNumber: 1), now: self.now), isResponse: false)
            }
        case 10, 11:
            self.buffer.clear()
            if (try? self.session.request(Self.body(first), context: self.issued, now: self.now, into: &self.buffer)) != nil {
                self.issued += 1
            }
        case 12:
            _ = self.session.bind(Bind(kind: BindKind.allCases[Int(first) % 3], systemID: "a", password: "b"), now: self.now)
        case 13:
            _ = self.session.bindAnswered(
                first % 4 == 0 ? .invalidPassword : .ok, response: BindResp(kind: .transceiver, systemID: "s"), now: self.now)
        case 14: self.session.requestsAnswered(Int(first % 4))
        default:
            if first == 0 { self.check(self.session.unbind(now: self.now), isResponse: false) }
            self.now += Int64(second)
            let outcome = self.session.timerFired(now: self.now)
            outcome.timedOut.forEach { self.give($0) }
            self.check(outcome.action, isResponse: false)
        }
        precondition(self.session.outstandingRequests <= 4, "the window is wider than agreed")
        precondition(self.session.outstandingRequests == self.issued - self.given.count, "a context was lost")
        precondition(self.session.unansweredRequests <= 3, "more requests are taken than agreed")
    }

    mutating func finish() {
        self.session.ended().forEach { self.give($0) }
        precondition(self.given.count == self.issued, "a context did not come back")
        precondition(self.session.nextDeadline == nil, "an ended session waits for something")
    }

    private mutating func receive(_ pdu: PDU) {
        self.check(self.session.received(.pdu(pdu), now: self.now), isResponse: pdu.commandID.isResponse)
    }

    private mutating func check(_ action: SessionAction<Int>, isResponse: Bool) {
        switch action {
        case .write, .authenticate: precondition(!isResponse, "a response was answered")
        case .writeAndClose(let pdu, _): precondition(!isResponse || pdu.commandID == .unbind.response, "a response was answered")
        case .deliver(let pdu): precondition(!pdu.commandID.isResponse, "a response was handed on as a request")
        case .completed(let context, _), .unreadable(let context, _): self.give(context)
        case .bound, .close, .ignore, .none: break
        }
    }

    private mutating func give(_ context: Int) {
        precondition(self.given.insert(context).inserted, "a context came twice")
    }

    private static func body(_ choice: UInt8) -> PDU.Body {
        switch choice % 29 {
        case 0: .bind(Bind(kind: .transceiver, systemID: "a", password: "b"))
        case 1: .bind(Bind(kind: .receiver, systemID: "a", password: "b", interfaceVersion: .v33))
        case 2: .bindResp(BindResp(kind: .transceiver, systemID: "s"))
        case 3: .outbind(Outbind(systemID: "s", password: "p"))
        case 4: .unbind
        case 5: .unbindResp
        case 6, 7: .submitSm(SubmitSm())
        case 8, 9: .submitSmResp(SubmitSmResp(messageID: "1"))
        case 10: .submitMulti(SubmitMulti(SubmitSm(), destinations: []))
        case 11: .submitMultiResp(SubmitMultiResp(messageID: "1"))
        case 12, 13: .deliverSm(DeliverSm())
        case 14, 15: .deliverSmResp(DeliverSmResp(messageID: ""))
        case 16: .dataSm(DataSm(sourceAddr: .init(), destinationAddr: .init()))
        case 17: .dataSmResp(DataSmResp(messageID: nil))
        case 18: .querySm(QuerySm(messageID: "1", sourceAddr: .init()))
        case 19: .querySmResp(QuerySmResp(messageID: "1"))
        case 20: .cancelSm(CancelSm(messageID: "1", sourceAddr: .init(), destinationAddr: .init()))
        case 21: .cancelSmResp
        case 22: .replaceSm(ReplaceSm(messageID: "1", sourceAddr: .init(), shortMessage: []))
        case 23: .replaceSmResp
        case 24: .enquireLink
        case 25: .enquireLinkResp
        case 26: .alertNotification(AlertNotification(sourceAddr: .init(), esmeAddr: .init()))
        case 27: .broadcastSm(BroadcastSm(tlvs: []))
        default: .genericNack
        }
    }
}
