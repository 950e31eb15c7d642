import CRdKafka
import Logging
import Testing

@testable import Bus

/// What an operator passes through to librdkafka.
struct `Kafka properties` {
    @Test func `TLS and SASL settings are read as they are`() throws {
        let text =
            "security.protocol=SASL_SSL;sasl.mechanism=SCRAM-SHA-512;sasl.username=gw;sasl.password=a=b c;"
            + "ssl.ca.location=/etc/ca.pem;"
        #expect(
            try BusConfiguration.parseProperties(text) == [
                "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "gw", "sasl.password": "a=b c",
                "ssl.ca.location": "/etc/ca.pem",
            ])
        #expect(try BusConfiguration.parseProperties("") == [:])
    }

    @Test(arguments: ["sasl.password=abc;hunter2", "hunter2", "=hunter2"]) func `what is no pair is named by its place only`(text: String) {
        let error = #expect(throws: BusError.self) { try BusConfiguration.parseProperties(text) }
        #expect(error?.description.contains("number") == true)
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test func `librdkafka takes them`() throws {
        let configuration = BusConfiguration(
            bootstrap: "127.0.0.1:1", clientID: "test",
            properties: [
                "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "gw", "sasl.password": "hunter2",
            ], logger: Logger(label: "test"))
        _ = try Admin(configuration)
    }

    @Test(arguments: [KafkaHandle.Kind.producer, .consumer])
    func `every client of ours has them, and they win over our own settings`(kind: KafkaHandle.Kind) throws {
        let properties = [
            "security.protocol": "sasl_ssl", "sasl.mechanisms": "SCRAM-SHA-256", "sasl.username": "gw", "sasl.password": "hunter2",
            "ssl.endpoint.identification.algorithm": "none", "reconnect.backoff.ms": "77",
        ]
        let configuration = BusConfiguration(
            bootstrap: "127.0.0.1:1", clientID: "test", properties: properties, logger: Logger(label: "test"))
        let handle = try KafkaHandle(kind, configuration: configuration, settings: kind == .consumer ? [("group.id", "g")] : [])
        for (name, expected) in properties {
            var value = [CChar](repeating: 0, count: 256)
            var size = value.count
            #expect(rd_kafka_conf_get(rd_kafka_conf(handle.raw), name, &value, &size) == RD_KAFKA_CONF_OK)
            #expect(text(of: value) == expected, "\(name)")
        }
    }

    @Test(arguments: [
        ("security.protocol", "hunter2"), ("sasl.pasword", "hunter2"), ("socket.timeout.ms", "hunter2"),
    ])
    func `one that is refused is named without its value`(name: String, value: String) {
        var configuration = BusConfiguration(bootstrap: "127.0.0.1:1", clientID: "test", logger: Logger(label: "test"))
        configuration.properties = [name: value, "sasl.password": "hunter2"]
        let error = #expect(throws: BusError.self) { try Admin(configuration) }
        #expect(error?.description.contains(name) == true)
        #expect(error?.description.contains("hunter2") == false)
    }
}
