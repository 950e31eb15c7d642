import Foundation

/// What `--demo` adds: a provider (simulated), an account, a way between the two, and prices.
struct DemoConfiguration: Sendable {
    static let provider = "smpp-providerA"
    /// Charge and cost by the destination's prefix.
    static let prices: [(prefix: String, charge: String, cost: String)] = [
        ("", "0.05", "0.03"), ("46", "0.035", "0.02"), ("4670", "0.032", "0.018"), ("47", "0.04", "0.025"),
    ]
    private static let systemID = "signalbox"
    private static let systemPassword = "provider"
    /// The simulator's port in docs/demo.cfg.
    static let documentedSMSC = 2_776

    let ports: Ports

    /// In EMG's server.cfg syntax; docs/demo.cfg is the same with the ports that it names.
    static func text(smppPort: Int, httpPort: Int, smscPort: Int) -> String {
        """
        # Signalbox's demo, as `signalbox up --demo` loads it: clients bind to smpp-in1 or use http-in1, and what they send
        # goes to smpp-providerA, which is a simulated operator's SMSC on this machine (`signalbox smsc`).

        CONNECTOR smpp-in1 <
        TYPE=INCOMING
        PROTOCOL=SMPP
        ADDRESS=0.0.0.0:\(smppPort)
        INSTANCES=10
        USERDB=emg
        >

        CONNECTOR http-in1 <
        TYPE=INCOMING
        PROTOCOL=HTTP
        ADDRESS=0.0.0.0:\(httpPort)
        USERDB=emg
        INTERFACES=API,EMG,KANNEL,JASMIN
        >

        CONNECTOR smpp-providerA <
        TYPE=OUTGOING
        PROTOCOL=SMPP
        ADDRESS=127.0.0.1:\(smscPort)
        INSTANCES=1
        USERNAME=\(systemID)
        PASSWORD=\(systemPassword)
        STATIC
        KEEPALIVE=60
        IDLETIMEOUT=90
        WINDOWSIZE=50
        >

        """
    }

    /// The simulator's child process.
    func simulator(
        _ child: (_ name: String, _ arguments: [String], _ variables: [String: String]) -> ChildSpecification, journal: String
    ) -> ChildSpecification {
        child(
            "smsc",
            [
                "smsc", "--listen", "127.0.0.1:\(ports.smsc)", "--system-id", DemoConfiguration.systemID, "--password",
                DemoConfiguration.systemPassword, "--journal", journal,
            ], [:])
    }
}
