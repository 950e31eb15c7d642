import CRdKafka

/// Why the bus did not do what it was asked, and what may be done about it.
public struct BusError: Error, CustomStringConvertible, Sendable {
    /// librdkafka's error codes (`rd_kafka_resp_err_t`), open: a broker may send codes that no header knows.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public var rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }
        init(_ code: rd_kafka_resp_err_t) { self.rawValue = code.rawValue }

        public static let queueFull = Code(RD_KAFKA_RESP_ERR__QUEUE_FULL)
        public static let invalidConfiguration = Code(RD_KAFKA_RESP_ERR__INVALID_ARG)
        public static let timedOut = Code(RD_KAFKA_RESP_ERR__TIMED_OUT)
        public static let messageTimedOut = Code(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
        public static let topicAlreadyExists = Code(RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        public static let unknownTopicOrPartition = Code(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        public static let noError = Code(RD_KAFKA_RESP_ERR_NO_ERROR)
    }

    public var code: Code
    public var message: String
    /// The same call may succeed later.
    public var isRetriable: Bool
    /// The client is unusable (fenced, or broken beyond repair); only a new one helps.
    public var isFatal: Bool
    /// The open transaction must be aborted; its input is then read again.
    public var needsAbort: Bool

    init(code: Code, _ message: String, isRetriable: Bool = false, isFatal: Bool = false, needsAbort: Bool = false) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
        self.isFatal = isFatal
        self.needsAbort = needsAbort
    }

    init(_ code: rd_kafka_resp_err_t, doing what: String) {
        self.init(code: Code(code), "\(what): \(String(cString: rd_kafka_err2str(code)))")
    }

    /// Takes over `raw`: "The returned error object (if not NULL) must be destroyed with rd_kafka_error_destroy()" (rdkafka.h).
    init?(owning raw: OpaquePointer?, doing what: String) {
        guard let raw else { return nil }
        self.init(
            code: Code(rd_kafka_error_code(raw)), "\(what): \(String(cString: rd_kafka_error_string(raw)))",
            isRetriable: rd_kafka_error_is_retriable(raw) == 1, isFatal: rd_kafka_error_is_fatal(raw) == 1,
            needsAbort: rd_kafka_error_txn_requires_abort(raw) == 1)
        rd_kafka_error_destroy(raw)
    }

    /// There is no room at the moment.
    public static let queueFull = BusError(code: .queueFull, "the queue is full", isRetriable: true)

    public var description: String { message }
}
