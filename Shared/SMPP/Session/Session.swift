public import NIOCore

/// The mind of one SMPP session, for either role (SMPP 3.4 §2). It owns no socket and no clock: what happens is told to
/// it, with the time, and it answers with one action.
///
/// The handler's part:
/// - cut octets with ``Framer`` and hand each result to ``received(_:now:)``;
/// - write what actions say, and flush once per read cycle;
/// - send requests with ``request(_:context:now:into:)`` and answers as it likes, then ``requestsAnswered(_:)``;
/// - keep one timer at ``nextDeadline`` and call ``timerFired(now:)`` when it passes;
/// - call ``ended()`` once when the connection is gone.
///
/// `Context` is what the caller wants back with the answer to a request. Every context leaves exactly once: with
/// `completed` or `unreadable`, in `timedOut`, or from ``ended()``.
///
/// Times are milliseconds of a clock that never goes back.
public struct Session<Context> {
    public enum Role: Sendable { case esme, smsc }

    public enum State: Equatable, Sendable {
        /// Connected; no bind yet.
        case open
        /// A bind waits for its answer.
        case binding(BindKind)
        case bound(BindKind)
        /// We are about to unbind and wait for the answers to our requests.
        case draining(BindKind)
        /// Our unbind waits for its answer.
        case unbinding
        /// The peer has sent unbind; its earlier requests wait for our answers, then it gets its own.
        case peerUnbinding(BindKind)
        /// The connection is to be closed, or is.
        case closed
    }

    public let role: Role
    public let configuration: SessionConfiguration
    public internal(set) var state: State = .open
    /// How many requests of the peer wait for our answer.
    public internal(set) var unansweredRequests = 0
    /// What the peer said in its bind or its answer; nil when it said nothing.
    public internal(set) var peerVersion: InterfaceVersion?
    /// ESME: what we said in our bind.
    var ownVersion: InterfaceVersion = .v50
    /// ESME: the status with which the SMSC refused our bind.
    public internal(set) var refusedWith: CommandStatus?

    var window: RequestWindow
    /// By the window's slots.
    private var contexts: [Context?] = []
    var nextSequenceNumber: UInt32 = 1
    /// When octets last came from the peer.
    var lastReceived: Int64
    /// Until when a bind must be there or be answered, or an unbind done.
    var phaseDeadline: Int64?
    /// While we drain: until when the peer's requests are taken.
    var intakeDeadline: Int64 = 0
    var bindSequenceNumber: UInt32 = 0
    var unbindSequenceNumber: UInt32 = 0
    var enquireLink: (sequenceNumber: UInt32, sentAt: Int64)?

    public init(role: Role, configuration: SessionConfiguration = .init(), now: Int64) {
        self.role = role
        self.configuration = configuration
        self.window = RequestWindow(limit: configuration.window)
        self.lastReceived = now
        self.phaseDeadline = now + configuration.bindTimeoutMilliseconds
    }

    /// How many requests of ours wait for their answer.
    public var outstandingRequests: Int { self.window.count }

    /// How many more requests ``request(_:context:now:into:)`` takes now; 0 when not bound.
    public var room: Int {
        guard case .bound = self.state else { return 0 }
        return self.window.limit - self.window.count
    }

    /// The bind that requests may flow under; nil when none may.
    public var boundKind: BindKind? {
        guard case .bound(let kind) = self.state else { return nil }
        return kind
    }

    /// The version that both sides speak: the lower of the two stated ones. An SMSC that states none is taken at our own
    /// word, for many leave sc_interface_version out. Nothing is sent that this version lacks (3.4 §3.4).
    public var agreedVersion: InterfaceVersion {
        guard let peerVersion else { return self.ownVersion }
        return peerVersion.rawValue < self.ownVersion.rawValue ? peerVersion : self.ownVersion
    }

    mutating func takeSequenceNumber() -> UInt32 {
        defer { self.nextSequenceNumber = self.nextSequenceNumber >= 0x7FFF_FFFF ? 1 : self.nextSequenceNumber + 1 }  // §5.1.4
        return self.nextSequenceNumber
    }

    /// Goes on from `number`, 1 to 0x7FFFFFFF: for a session that takes over another's numbers.
    public mutating func skipSequenceNumbers(to number: UInt32) { self.nextSequenceNumber = min(max(1, number), 0x7FFF_FFFF) }

    // MARK: What we send

    /// ESME: starts the bind. Only in state `open`; elsewhere the action is `none`.
    public mutating func bind(_ bind: Bind, now: Int64) -> SessionAction<Context> {
        guard self.role == .esme, self.state == .open else { return .none }
        self.bindSequenceNumber = self.takeSequenceNumber()
        self.ownVersion = bind.interfaceVersion
        self.state = .binding(bind.kind)
        self.phaseDeadline = now + self.configuration.bindTimeoutMilliseconds
        return .write(PDU(.bind(bind), sequenceNumber: self.bindSequenceNumber))
    }

    /// SMSC: asks the ESME to bind (§2.2.1). Only in state `open`.
    public mutating func outbind(_ outbind: Outbind) -> SessionAction<Context> {
        guard self.role == .smsc, self.state == .open else { return .none }
        return .write(PDU(.outbind(outbind), sequenceNumber: self.takeSequenceNumber()))
    }

    /// SMSC: the verdict on the bind that ``SessionAction/authenticate(_:)`` brought. A refusal closes the session.
    /// The action is `none` when the session ended in the meantime.
    public mutating func bindAnswered(_ status: CommandStatus, response: BindResp, now: Int64) -> SessionAction<Context> {
        guard self.role == .smsc, case .binding(let kind) = self.state else { return .none }
        var response = response
        if !self.agreedVersion.allowsTLVs { response.tlvs = [] }
        let pdu = PDU(.bindResp(response), sequenceNumber: self.bindSequenceNumber, commandStatus: status)
        guard status == .ok else {
            self.close()
            return .writeAndClose(pdu, .bindRejected)
        }
        self.state = .bound(kind)
        self.phaseDeadline = nil
        self.lastReceived = now
        return .write(pdu)
    }

    /// Writes a request to `buffer` and remembers `context` until it is answered. To a peer of 3.3 it goes without optional
    /// parameters, a data_sm as submit_sm or deliver_sm.
    /// - Returns: its sequence number.
    /// - Throws: ``RequestRefusal``; then nothing was written or remembered.
    @discardableResult
    public mutating func request(
        _ body: PDU.Body, context: consuming Context, now: Int64, into buffer: inout ByteBuffer
    ) throws(RequestRefusal) -> UInt32 {
        guard case .bound(let kind) = self.state else { throw .notBound }
        guard body.commandID.hasResponse, Permissions.allows(body.commandID, from: self.role.speaker, in: kind) else {
            throw .notPermitted
        }
        let version = self.agreedVersion
        if version.rawValue < InterfaceVersion.v50.rawValue, !version.has(body.commandID) {
            // Only a data_sm can be said otherwise.
            guard body.commandID == .dataSm else { throw .notPermitted }
        }
        var body = body
        if !version.allowsTLVs {
            do throws(PDUError) {
                body = try body.adapted(to: version, fromSMSC: self.role == .smsc)
            } catch {
                throw .invalid(error)
            }
        }
        guard !self.window.isFull else { throw .windowFull }
        var sequenceNumber = self.takeSequenceNumber()
        // After two thousand million requests the numbers start again: one that still waits is passed over.
        while self.window.command(sequenceNumber) != nil { sequenceNumber = self.takeSequenceNumber() }
        do throws(PDUError) {
            try PDU.encode(body, sequenceNumber: sequenceNumber, commandStatus: .ok, into: &buffer)
        } catch {
            throw .invalid(error)
        }
        let slot = self.window.insert(
            sequenceNumber: sequenceNumber, command: body.commandID, deadline: now + self.configuration.responseTimeoutMilliseconds)
        if slot < self.contexts.count {
            self.contexts[slot] = consume context
        } else {
            self.contexts.append(consume context)  // slots grow one by one
        }
        return sequenceNumber
    }

    /// Takes a request out of the window; nil when none waits under this number.
    mutating func takeContext(_ sequenceNumber: UInt32) -> Context? {
        guard let slot = self.window.remove(sequenceNumber) else { return nil }
        return self.contexts[slot].take()
    }

    /// Takes out all requests whose deadline is not after `now`, oldest first.
    mutating func takeExpiredContexts(now: Int64) -> [Context] {
        var expired: [Context] = []
        while let slot = self.window.removeExpired(now: now) {
            if let context = self.contexts[slot].take() { expired.append(context) }
        }
        return expired
    }

    /// SMSC: an alert_notification, which nobody answers.
    public mutating func alert(_ alert: AlertNotification) -> SessionAction<Context> {
        guard self.role == .smsc, case .bound(let kind) = self.state, kind.receives else { return .none }
        return .write(PDU(.alertNotification(alert), sequenceNumber: self.takeSequenceNumber()))
    }

    /// Says that `count` requests that came by `deliver` have been answered.
    public mutating func requestsAnswered(_ count: Int = 1) {
        self.unansweredRequests = max(0, self.unansweredRequests - count)
    }

    /// Nobody owes an answer, neither the peer to us nor we to the peer.
    var isQuiet: Bool { self.window.isEmpty && self.unansweredRequests == 0 }

    /// Whether what held back our unbind, or our answer to the peer's, is done: ``timerFired(now:)`` goes on at once.
    public var isReadyToEnd: Bool {
        switch self.state {
        case .draining: self.isQuiet
        case .peerUnbinding: self.unansweredRequests == 0
        case .open, .binding, .bound, .unbinding, .closed: false
        }
    }

    /// Starts to end the session in order: waits for the answers to our requests and for ours to the peer's, then sends unbind: a peer
    /// that has its answers hands nothing in twice. From here on nothing can be requested, and what the peer requests is refused soon
    /// (``SessionConfiguration/drainIntakeMilliseconds``); ``nextDeadline`` and ``isReadyToEnd`` say when to come back.
    public mutating func unbind(now: Int64) -> SessionAction<Context> {
        switch self.state {
        case .bound(let kind):
            self.phaseDeadline = now + self.configuration.unbindTimeoutMilliseconds
            self.intakeDeadline = now + self.configuration.drainIntakeMilliseconds
            guard self.isQuiet else {
                self.state = .draining(kind)
                return .none
            }
            return self.sendUnbind(now: now)
        case .open, .binding:
            self.close()
            return .close(.unbound)
        case .draining, .unbinding, .peerUnbinding, .closed:
            return .none
        }
    }

    mutating func sendUnbind(now: Int64) -> SessionAction<Context> {
        self.state = .unbinding
        self.phaseDeadline = now + self.configuration.unbindTimeoutMilliseconds
        self.unbindSequenceNumber = self.takeSequenceNumber()
        return .write(PDU(.unbind, sequenceNumber: self.unbindSequenceNumber))
    }

    /// The connection is gone, or about to go.
    /// - Returns: the contexts of all requests without an answer, oldest first. The peer may have acted on them or not.
    public mutating func ended() -> [Context] {
        self.close()
        return self.takeExpiredContexts(now: .max)
    }

    mutating func close() {
        self.state = .closed
        self.phaseDeadline = nil
        self.enquireLink = nil
    }
}

extension Session: Sendable where Context: Sendable {}
