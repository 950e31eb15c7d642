/// What the handler is to do after an event. One event, one action.
public enum SessionAction<Context> {
    /// A request for the application, permitted here. Answer it once, then say ``Session/requestsAnswered(_:)``;
    /// `alert_notification` and `outbind` have no answer and are not counted.
    case deliver(PDU)
    /// SMSC: check who this is, then call ``Session/bindAnswered(_:response:now:)``.
    case authenticate(Bind)
    /// ESME: the SMSC took the bind; requests may flow.
    case bound(BindResp)
    /// The answer to a request of ours, a generic_nack included.
    case completed(Context, PDU)
    /// An answer to a request of ours that cannot be read: the peer may have acted on the request or not.
    case unreadable(Context, PDUError)
    /// Write this; nothing else happens.
    case write(PDU)
    /// Write this, flush, close the connection, then call ``Session/ended()``.
    case writeAndClose(PDU, CloseReason)
    /// Close the connection, then call ``Session/ended()``.
    case close(CloseReason)
    /// Nothing to do; the reason is for counters.
    case ignore(IgnoreReason)
    case none
}

extension SessionAction: Equatable where Context: Equatable {}
extension SessionAction: Sendable where Context: Sendable {}

/// Why a session ended: a closed list, fit for a metric's label.
public enum CloseReason: String, CaseIterable, Sendable {
    /// The peer's unbind was answered.
    case peerUnbound
    /// Our unbind was answered, or its answer did not come in time.
    case unbound
    /// The bind was refused: by us (SMSC) or by the peer (ESME).
    case bindRejected
    /// No bind came, or no answer to ours.
    case bindTimedOut
    /// enquire_link found nobody.
    case enquireLinkUnanswered
    /// The peer's octets can no longer be cut into PDUs.
    case framingLost
}

/// Why a PDU had no effect: a closed list, fit for a metric's label.
public enum IgnoreReason: String, CaseIterable, Sendable {
    /// A response to nothing that we wait for: late, doubled or invented.
    case unexpectedResponse
    /// A response of another kind than its request wants. The request goes on waiting.
    case mismatchedResponse
    /// A response that cannot be read, to nothing that we wait for; or of an unknown command.
    case unreadable
    /// It came when the session was already over.
    case sessionOver
}

/// Why ``Session/request(_:context:now:into:)`` wrote nothing.
public enum RequestRefusal: Error, Equatable, Sendable {
    /// The session is not bound, or is about to end.
    case notBound
    /// This side may not send this PDU in this kind of bind (§2.3).
    case notPermitted
    /// `window` requests wait for their answer.
    case windowFull
    /// The PDU cannot be encoded.
    case invalid(PDUError)
}

/// What a timer brought about.
public struct TimerOutcome<Context> {
    /// Requests whose answer did not come in time, oldest first. The peer may have acted on them or not.
    public var timedOut: [Context]
    public var action: SessionAction<Context>
}

extension TimerOutcome: Equatable where Context: Equatable {}
extension TimerOutcome: Sendable where Context: Sendable {}
