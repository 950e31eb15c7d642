import Configuration
import Message
import ServiceKit

/// What the connectors' options say of reports. A value: made anew when the configuration changes.
struct ReportRules: Sendable {
    /// More hops from one REDIRECT to the next are a circle.
    private static let maxRedirects = 5

    private var connectors: [String: ConnectorConfiguration] = [:]
    /// How long a receipt waits for its submission before it is an orphan (ORPHANTIME).
    let orphanSeconds: Int

    init(_ connectors: [ConnectorConfiguration] = [], orphanSeconds: Int = MoneyOptions.defaultOrphanSeconds) {
        self.orphanSeconds = orphanSeconds
        for connector in connectors { self.connectors[connector.name] = connector }
    }

    /// Where a report on `original` goes that `connector` brought: the account's `routedlr`; else the bringing connector's ROUTEDLR; else
    /// where the original came in. From a one-way connector, which cannot deliver it, on to its REDIRECT.
    func target(for original: ShortMessage, broughtBy connector: String) -> String {
        var target = Reports.home(of: original)
        if original.reportConnector.isEmpty, let route = connectors[connector]?.routeDLR { target = route }
        for _ in 0..<ReportRules.maxRedirects {
            guard let here = connectors[target], !here.delivers, let next = here.redirect else { break }
            target = next
        }
        return target
    }

    /// Whether the gateway says "delivered" by itself once a provider without reports has taken a message.
    func generatesReports(_ connector: String) -> Bool { !(connectors[connector]?.money.noGeneratedReports ?? false) }

    func notation(_ connector: String) -> MoneyOptions.IdentifierNotation? { connectors[connector]?.money.identifierNotation }

    func expirySeconds(_ connector: String) -> Int? { connectors[connector]?.money.reportExpirySeconds }
}

extension ConnectorConfiguration {
    /// Whether reports and messages can go out over it: sessions that stay open both ways, or a connector that we open to send.
    fileprivate var delivers: Bool {
        switch direction {
        case .incoming: mode == .both && ["SMPP", "UCP", "CIMD2", "MGP"].contains(protocolName)
        case .outgoing: mode != .receive
        }
    }
}
