import SMPP

/// What a destination asks the simulator to do: the configured prefix, two digits for the deed, three for its number.
///
/// | digits | deed |
/// |---|---|
/// | `01sss` | every submit is refused with command_status `sss` (decimal) |
/// | `02sss` | the first submit to this number is refused with `sss`, later ones are taken |
/// | `03` | no answer |
/// | `04ddd` | the answer comes `ddd` times 100 ms later |
/// | `05` | the answer comes twice |
/// | `06` | octets that are no PDU, instead of the answer |
/// | `07` | the connection is cut, instead of the answer |
/// | `08` | the answer is held back until the next one has been sent |
/// | `10` | the receipt comes before the answer |
/// | `11ddd` | the receipt comes `ddd` times 100 ms later |
/// | `12` | the receipt comes twice |
/// | `13` | the receipt says UNDELIV |
/// | `14` | the message gets the id of the message before it to the same number |
/// | `15` | the receipt comes as data_sm |
/// | `20` | the recipient answers with a message of its own, which has the same text |
struct MagicNumber: Equatable {
    enum Deed: Equatable {
        case refuse(CommandStatus)
        case refuseFirst(CommandStatus)
        case silence
        case answerLate(milliseconds: Int64)
        case answerTwice
        case garbage
        case cut
        case outOfOrder
        case receiptEarly
        case receiptLate(milliseconds: Int64)
        case receiptTwice
        case undelivered
        case sameID
        case receiptAsDataSm
        case reply
    }

    /// - Returns: nil where the number asks for nothing.
    static func deed(of number: String, prefix: String) -> Deed? {
        guard !prefix.isEmpty, number.hasPrefix(prefix) else { return nil }
        let rest = number.dropFirst(prefix.count)
        let value = UInt32(rest.dropFirst(2).prefix(3)) ?? 0
        switch rest.prefix(2) {
        case "01": return .refuse(CommandStatus(rawValue: value))
        case "02": return .refuseFirst(CommandStatus(rawValue: value))
        case "03": return .silence
        case "04": return .answerLate(milliseconds: Int64(value) * 100)
        case "05": return .answerTwice
        case "06": return .garbage
        case "07": return .cut
        case "08": return .outOfOrder
        case "10": return .receiptEarly
        case "11": return .receiptLate(milliseconds: Int64(value) * 100)
        case "12": return .receiptTwice
        case "13": return .undelivered
        case "14": return .sameID
        case "15": return .receiptAsDataSm
        case "20": return .reply
        default: return nil
        }
    }
}
