public import SMPP

/// How the simulated SMSC behaves. Every share is in percent, 0 to 100.
public struct SMSCConfiguration: Sendable {
    /// How message ids are written.
    public enum IDFormat: String, Sendable, CaseIterable {
        case decimal, hex
        /// Thirty-two random hex digits in five groups. Never changes between answer and receipt.
        case uuid
    }

    /// One final state and how often it comes up, in relation to the others.
    public struct FinalState: Sendable, Equatable {
        public var state: MessageState
        public var weight: Int
        /// The `err:` of the receipt, at most three characters.
        public var error: String

        public init(_ state: MessageState, weight: Int, error: String = "000") {
            self.state = state
            self.weight = weight
            self.error = error
        }
    }

    /// MO messages made up by the simulator, to every session that can receive.
    public struct MobileOriginated: Sendable, Equatable {
        public var intervalMilliseconds: Int64
        public var source: String
        public var destination: String
        public var text: String

        public init(intervalMilliseconds: Int64, source: String, destination: String, text: String) {
            self.intervalMilliseconds = intervalMilliseconds
            self.source = source
            self.destination = destination
            self.text = text
        }
    }

    public var host: String
    /// 0 takes a free one; see ``SMSCSimulator/boundPort``.
    public var port: Int
    /// Nil accepts every system_id.
    public var systemID: String?
    /// Nil accepts every password.
    public var password: String?
    /// Between a submit_sm and its answer.
    public var answerDelayMilliseconds: Int64
    /// Up to so much is added to each answer's delay, by chance: answers come out of order.
    public var answerJitterMilliseconds: Int64 = 0
    /// Submits a second, of all sessions together; beyond it they get ESME_RTHROTTLED. 0 = no limit.
    public var maximumRatePerSecond: Double = 0
    /// Destinations that begin so ask for a deed; see ``MagicNumber``. Empty: none does.
    public var magicPrefix = ""
    /// Where the simulator connects to say outbind, besides listening.
    public var outbind: (host: String, port: Int)?
    /// What it says there.
    public var outbindPassword = ""
    /// Share of submits refused with `refusalStatus`.
    public var refusedPercent: Double
    public var refusalStatus: CommandStatus
    /// Share of submits refused with ESME_RTHROTTLED.
    public var throttledPercent: Double
    public var sendsReceipts: Bool
    /// Between a submit_sm and the end of its message, with its receipt.
    public var receiptDelayMilliseconds: Int64
    public var finalStates: [FinalState]
    public var idFormat: IDFormat
    /// How receipts write the id; nil: as the answer did. SMSCs that answer in hex and report in decimal exist.
    public var receiptIDFormat: IDFormat?
    /// Where to append the journal; nil for none. See ``Journal`` for the format.
    public var journalPath: String?
    /// Where to append the arrivals of submits, for a load test; nil for none. See `ArrivalRecord` for the format.
    public var arrivalsPath: String?
    public var mobileOriginated: MobileOriginated?
    /// Receipts that wait or are unanswered; beyond it submits that ask for one get ESME_RMSGQFUL.
    public var maximumOpenReceipts: Int
    /// Messages remembered for query_sm, cancel_sm and replace_sm; the oldest are forgotten first.
    public var maximumRememberedMessages: Int
    /// Timers and windows of each session.
    public var session: SessionConfiguration

    public init(
        host: String = "127.0.0.1", port: Int = 0, systemID: String? = nil, password: String? = nil,
        answerDelayMilliseconds: Int64 = 0, refusedPercent: Double = 0, refusalStatus: CommandStatus = .submitFailed,
        throttledPercent: Double = 0, sendsReceipts: Bool = true, receiptDelayMilliseconds: Int64 = 0,
        finalStates: [FinalState] = [FinalState(.delivered, weight: 1)], idFormat: IDFormat = .decimal,
        receiptIDFormat: IDFormat? = nil, journalPath: String? = nil, mobileOriginated: MobileOriginated? = nil,
        maximumOpenReceipts: Int = 500_000, maximumRememberedMessages: Int = 100_000,
        session: SessionConfiguration = SessionConfiguration(
            bindTimeoutMilliseconds: 30_000, responseTimeoutMilliseconds: 10_000, enquireLinkIntervalMilliseconds: 60_000,
            unbindTimeoutMilliseconds: 2_000, window: 100, incomingWindow: 10_000)
    ) {
        self.host = host
        self.port = port
        self.systemID = systemID
        self.password = password
        self.answerDelayMilliseconds = answerDelayMilliseconds
        self.refusedPercent = refusedPercent
        self.refusalStatus = refusalStatus
        self.throttledPercent = throttledPercent
        self.sendsReceipts = sendsReceipts
        self.receiptDelayMilliseconds = receiptDelayMilliseconds
        self.finalStates = finalStates
        self.idFormat = idFormat
        self.receiptIDFormat = receiptIDFormat
        self.journalPath = journalPath
        self.mobileOriginated = mobileOriginated
        self.maximumOpenReceipts = maximumOpenReceipts
        self.maximumRememberedMessages = maximumRememberedMessages
        self.session = session
    }
}

/// What the simulator has counted since its start.
public struct SMSCStatistics: Sendable, Equatable {
    /// submit_sm, data_sm, and each destination of submit_multi.
    public var submits = 0
    public var accepted = 0
    public var refused = 0
    /// Receipts written, repeats included.
    public var receiptsSent = 0
    public var receiptsAcknowledged = 0
    /// Receipts that wait for their time, for a session, or for their answer.
    public var openReceipts = 0
    public var mobileOriginatedSent = 0
    public var boundSessions = 0

    public init() {}
}
