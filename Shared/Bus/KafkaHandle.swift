import CRdKafka
import Logging

/// Owns one `rd_kafka_t` and what its callbacks need.
///
/// `@unchecked Sendable`: "librdkafka is thread-safe" (INTRODUCTION.md, "Threads and callbacks"); the pointer is set once in
/// `init` and freed in `deinit`, when nobody holds this object any more. The topic cache is behind a lock.
final class KafkaHandle: @unchecked Sendable {
    enum Kind { case producer, consumer }

    let raw: OpaquePointer
    private let kind: Kind
    private let callbacks: Unmanaged<CallbackContext>

    /// - Throws: a setting that librdkafka refuses, by name.
    init(
        _ kind: Kind, configuration: BusConfiguration, settings: [(String, String)], events: Int32 = 0,
        rebalance: RebalanceHandler? = nil
    ) throws(BusError) {
        self.kind = kind
        let conf = rd_kafka_conf_new()
        var merged: [(String, String)] = [
            ("bootstrap.servers", configuration.bootstrap), ("client.id", configuration.clientID),
            ("socket.nagle.disable", "true"), ("log.connection.close", "false"), ("reconnect.backoff.ms", "20"),
            ("reconnect.backoff.max.ms", "500"), ("broker.address.family", "v4"),
            // A broker that is gone without a word is given up after this, not after librdkafka's minute. One whose disk is slower than
            // this gets the same again, which it knows (sequence numbers), and the coordinator's requests have their own, longer times.
            ("socket.timeout.ms", "6000"), ("socket.keepalive.enable", "true"),
        ]
        merged += settings
        for name in configuration.properties.keys.sorted() { merged.append((name, configuration.properties[name] ?? "")) }
        for (name, value) in merged {
            var reason = [CChar](repeating: 0, count: 512)
            let result = rd_kafka_conf_set(conf, name, value, &reason, reason.count)
            guard result == RD_KAFKA_CONF_OK else {
                rd_kafka_conf_destroy(conf)
                // librdkafka's own words quote the value, which may be a secret.
                let fault = result == RD_KAFKA_CONF_UNKNOWN ? "there is no such property" : "its value is not allowed"
                throw BusError(code: .invalidConfiguration, "Kafka setting \(name): \(fault)")
            }
        }
        let callbacks = Unmanaged.passRetained(CallbackContext(logger: configuration.logger, rebalance: rebalance))
        rd_kafka_conf_set_opaque(conf, callbacks.toOpaque())
        rd_kafka_conf_set_log_cb(conf) { client, level, facility, line in
            guard let client, let line, let opaque = rd_kafka_opaque(client) else { return }
            let context = Unmanaged<CallbackContext>.fromOpaque(opaque).takeUnretainedValue()
            context.log(level: level, facility: facility.map { String(cString: $0) } ?? "", line: String(cString: line))
        }
        if rebalance != nil { rd_kafka_conf_set_rebalance_cb(conf, rebalanceCallback) }
        if events != 0 { rd_kafka_conf_set_events(conf, events) }
        var reason = [CChar](repeating: 0, count: 512)
        let type = kind == .producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER
        // rd_kafka_new takes the conf over only where it succeeds.
        guard let raw = rd_kafka_new(type, conf, &reason, reason.count) else {
            rd_kafka_conf_destroy(conf)
            callbacks.release()
            throw BusError(code: .invalidConfiguration, "Kafka client: \(text(of: reason))")
        }
        self.raw = raw
        self.callbacks = callbacks
    }

    deinit {
        if kind == .consumer {
            // The consumer was closed by its owner where an orderly goodbye was due.
            rd_kafka_destroy_flags(raw, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
        } else {
            rd_kafka_destroy(raw)
        }
        callbacks.release()
    }
}

/// Called on the thread that polls: `true` for an assignment, `false` for a revocation.
typealias RebalanceHandler = (_ assigned: Bool, _ partitions: OpaquePointerList, _ client: OpaquePointer) -> Void
typealias OpaquePointerList = UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

/// What librdkafka's callbacks find behind their opaque pointer.
final class CallbackContext {
    private let logger: Logger
    let rebalance: RebalanceHandler?

    init(logger: Logger, rebalance: RebalanceHandler?) {
        self.logger = logger
        self.rebalance = rebalance
    }

    /// Syslog levels to ours. Lost connections are librdkafka's daily bread (it reconnects by itself): debug.
    func log(level: Int32, facility: String, line: String) {
        let metadata: Logger.Metadata = ["facility": "\(facility)", "detail": "\(line)"]
        switch facility {
        case "FAIL", "ERROR", "SESSTMOUT", "COORD", "MAXPOLL", "TXNERR": logger.info("kafka client", metadata: metadata)
        default:
            switch level {
            case ...3: logger.error("kafka client", metadata: metadata)
            case 4: logger.warning("kafka client", metadata: metadata)
            default: logger.debug("kafka client", metadata: metadata)
            }
        }
    }
}

private let rebalanceCallback: @convention(c) (OpaquePointer?, rd_kafka_resp_err_t, OpaquePointerList?, UnsafeMutableRawPointer?) -> Void =
    {
        client, code, partitions, opaque in
        guard let client, let partitions, let opaque else { return }
        let context = Unmanaged<CallbackContext>.fromOpaque(opaque).takeUnretainedValue()
        context.rebalance?(code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, partitions, client)
    }

/// The text that librdkafka wrote into a buffer of ours, up to its NUL.
func text(of buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
