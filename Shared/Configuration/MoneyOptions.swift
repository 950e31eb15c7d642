import Pricing

/// Options of a connector that say how its delivery reports are understood. (`defaultCharge` stands beside them.)
public struct MoneyOptions: Sendable, Equatable {
    /// How a provider writes the same id in its answer and in its reports (HEXID).
    public enum IdentifierNotation: Int, Sendable {
        /// Alike, but for case and zeros in front.
        case alike = 0
        /// Hexadecimal in the answer, decimal in the report.
        case hexThenDecimal = 1
        /// Decimal in the answer, hexadecimal in the report.
        case decimalThenHex = 2
    }

    /// Nil: alike; or, where only the other notation and the recipient's number fit, that.
    public var identifierNotation: IdentifierNotation?
    /// How long a provider may take to report, in seconds from its answer (DLREXPIRE); nil = the message's validity and an hour, or
    /// four days.
    public var reportExpirySeconds: Int?
    /// The gateway makes no report by itself, also where the provider sends none (NODLR): reports are injected.
    public var noGeneratedReports: Bool

    /// How long a receipt waits for its submission before it is an orphan, where ORPHANTIME (general; ours) says nothing, in seconds.
    public static let defaultOrphanSeconds = 3_600
    /// What ORPHANTIME may name. A submission may be a little behind its receipt: less than a second would make orphans of good ones.
    public static let orphanSeconds = 1...604_800

    public init(
        identifierNotation: IdentifierNotation? = nil, reportExpirySeconds: Int? = nil, noGeneratedReports: Bool = false
    ) {
        self.identifierNotation = identifierNotation
        self.reportExpirySeconds = reportExpirySeconds
        self.noGeneratedReports = noGeneratedReports
    }
}

extension OptionReader {
    mutating func moneyOptions() -> MoneyOptions {
        MoneyOptions(
            identifierNotation: integer("HEXID", 0...2).flatMap { MoneyOptions.IdentifierNotation(rawValue: $0) },
            reportExpirySeconds: integer("DLREXPIRE", 1...31_536_000),
            noGeneratedReports: flag("NODLR") ?? false)
    }

    /// DEFAULT_CHARGE, which is taken on receipt and never gives.
    mutating func defaultCharge() -> Money? {
        guard let charge = money("DEFAULT_CHARGE") else { return nil }
        guard charge >= .zero, charge <= .columnMaximum else {
            fault("DEFAULT_CHARGE", "DEFAULT_CHARGE is not negative")
            return nil
        }
        return charge == .zero ? nil : charge
    }
}

extension Keyword {
    /// General keywords about money and delivery reports.
    static let generalMoney = ["DEFAULT_CHARGE", "DISABLE_CREDITS", "ORPHANTIME"]
}

extension ConfigurationFile {
    func checkMoney() -> [ConfigurationDiagnostic] {
        general.compactMap { entry in
            if entry.key == "ORPHANTIME" {
                let range = MoneyOptions.orphanSeconds
                guard let seconds = Int(entry.value ?? ""), range.contains(seconds) else {
                    return ConfigurationDiagnostic(
                        .error, line: entry.line,
                        "ORPHANTIME is a number of seconds from \(range.lowerBound) to \(range.upperBound), not \(entry.value ?? "nothing")"
                    )
                }
                return nil
            }
            guard entry.key == "DEFAULT_CHARGE" else { return nil }
            guard let charge = try? Money(parsing: entry.value ?? ""), charge >= .zero, charge <= .columnMaximum else {
                return ConfigurationDiagnostic(
                    .error, line: entry.line, "DEFAULT_CHARGE is an amount such as 0.02, not \(entry.value ?? "nothing")")
            }
            return nil
        }
    }
}
