/// The limits and timers of one session. Milliseconds throughout; 0 switches a timer off where that is said.
public struct SessionConfiguration: Sendable, Equatable {
    /// SMSC: from the connection to the bind; ESME: from our bind to its answer. SMPP's session_init_timer (§7.2).
    public var bindTimeoutMilliseconds: Int64
    /// From a request of ours to its answer: response_timer (§7.2).
    public var responseTimeoutMilliseconds: Int64
    /// Silence of the peer after which we send enquire_link: enquire_link_timer (§7.2). 0: never.
    public var enquireLinkIntervalMilliseconds: Int64
    /// From our enquire_link to any octet of the peer; when it passes, the session closes.
    public var enquireLinkTimeoutMilliseconds: Int64
    /// Silence of the peer, enquire_link and its response counted as sound, after which we unbind. 0: never.
    public var idleTimeoutMilliseconds: Int64
    /// From our wish to unbind, or the peer's, to the end, come what may.
    public var unbindTimeoutMilliseconds: Int64
    /// From our wish to unbind: how long the peer's requests are still taken where answers are due, to us or by us, before unbind can be
    /// sent. After it, and after unbind, they are refused with ESME_RMSGQFUL. 0: refused at once.
    public var drainIntakeMilliseconds: Int64
    /// How many requests of ours may wait for their answer (enquire_link and unbind do not count). At least 1.
    public var window: Int
    /// How many requests of the peer may wait for ours. Beyond it they are refused with `overloadStatus`. At least 1.
    public var incomingWindow: Int
    public var overloadStatus: CommandStatus
    /// Whether a PDU that the agreed version lacks (data_sm from a peer that calls itself 3.3) is refused with
    /// ESME_RINVCMDID. Off by default: many peers state a version lower than what they speak.
    public var enforcesVersion: Bool

    public init(
        bindTimeoutMilliseconds: Int64 = 10_000, responseTimeoutMilliseconds: Int64 = 60_000,
        enquireLinkIntervalMilliseconds: Int64 = 60_000, enquireLinkTimeoutMilliseconds: Int64 = 10_000,
        idleTimeoutMilliseconds: Int64 = 0, unbindTimeoutMilliseconds: Int64 = 5_000, drainIntakeMilliseconds: Int64 = 0,
        window: Int = 100, incomingWindow: Int = 1_000, overloadStatus: CommandStatus = .throttled, enforcesVersion: Bool = false
    ) {
        self.enforcesVersion = enforcesVersion
        self.bindTimeoutMilliseconds = bindTimeoutMilliseconds
        self.responseTimeoutMilliseconds = responseTimeoutMilliseconds
        self.enquireLinkIntervalMilliseconds = enquireLinkIntervalMilliseconds
        self.enquireLinkTimeoutMilliseconds = enquireLinkTimeoutMilliseconds
        self.idleTimeoutMilliseconds = idleTimeoutMilliseconds
        self.unbindTimeoutMilliseconds = unbindTimeoutMilliseconds
        self.drainIntakeMilliseconds = drainIntakeMilliseconds
        self.window = window
        self.incomingWindow = incomingWindow
        self.overloadStatus = overloadStatus
    }
}
