/// `esm_class` (SMPP 3.4 §5.2.12). Reserved bits survive a round trip.
public struct ESMClass: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let `default` = Self(rawValue: 0x00)
    /// deliver_sm: the SMSC's delivery receipt (bits 5 to 2 are 0001).
    public static let deliveryReceipt = Self(rawValue: 0x04)
    /// deliver_sm: an intermediate notification (bits 5 to 2 are 1000).
    public static let intermediateNotification = Self(rawValue: 0x20)
    /// The user data starts with a header (UDHI, bit 6).
    public static let userDataHeader = Self(rawValue: 0x40)
    /// A reply path is set (bit 7).
    public static let replyPath = Self(rawValue: 0x80)

    @inlinable public var hasUserDataHeader: Bool { self.rawValue & 0x40 != 0 }
    @inlinable public var hasReplyPath: Bool { self.rawValue & 0x80 != 0 }
    /// Bits 1 and 0: 0 default, 1 datagram, 2 forward, 3 store and forward.
    @inlinable public var messagingMode: UInt8 { self.rawValue & 0x03 }
    /// Bits 5 to 2, in place: 0x04 receipt, 0x08 delivery acknowledgement, 0x10 user acknowledgement, 0x20 intermediate.
    @inlinable public var messageType: UInt8 { self.rawValue & 0x3C }
    @inlinable public var isDeliveryReceipt: Bool { self.messageType == 0x04 }
    @inlinable public var isIntermediateNotification: Bool { self.messageType == 0x20 }

    @inlinable public func union(_ other: ESMClass) -> ESMClass { ESMClass(rawValue: self.rawValue | other.rawValue) }
}

/// `registered_delivery` (SMPP 3.4 §5.2.17).
public struct RegisteredDelivery: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let none = Self(rawValue: 0)
    /// A receipt for the final outcome, success or failure.
    public static let final = Self(rawValue: 1)
    /// A receipt for a final failure only.
    public static let failure = Self(rawValue: 2)
    /// A receipt for success only (SMPP 5.0 §4.7.21; reserved in 3.4).
    public static let success = Self(rawValue: 3)

    /// Bits 1 and 0: 0 none, 1 final, 2 failure, 3 success.
    @inlinable public var receipt: UInt8 { self.rawValue & 0x03 }
    @inlinable public var wantsIntermediateNotification: Bool { self.rawValue & 0x10 != 0 }

    /// Whether the sender wants a receipt for this final outcome.
    @inlinable public func wantsReceipt(delivered: Bool) -> Bool {
        switch self.receipt {
        case 1: true
        case 2: !delivered
        case 3: delivered
        default: false
        }
    }
}

/// `data_coding` (SMPP 3.4 §5.2.19).
public struct DataCoding: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The SMSC's default alphabet: in the GSM world, GSM 03.38 with one septet in each octet.
    public static let smscDefault = Self(rawValue: 0)
    public static let ascii = Self(rawValue: 1)
    public static let octets = Self(rawValue: 2)
    public static let latin1 = Self(rawValue: 3)
    public static let binary = Self(rawValue: 4)
    public static let cyrillic = Self(rawValue: 6)
    public static let hebrew = Self(rawValue: 7)
    public static let ucs2 = Self(rawValue: 8)
}

/// Type of number (SMPP 3.4 §5.2.5).
public struct TypeOfNumber: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let unknown = Self(rawValue: 0)
    public static let international = Self(rawValue: 1)
    public static let national = Self(rawValue: 2)
    public static let networkSpecific = Self(rawValue: 3)
    public static let subscriberNumber = Self(rawValue: 4)
    public static let alphanumeric = Self(rawValue: 5)
    public static let abbreviated = Self(rawValue: 6)
}

/// Numbering plan indicator (SMPP 3.4 §5.2.6).
public struct NumberingPlan: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let unknown = Self(rawValue: 0)
    public static let isdn = Self(rawValue: 1)
    public static let data = Self(rawValue: 3)
    public static let telex = Self(rawValue: 4)
    public static let landMobile = Self(rawValue: 6)
    public static let national = Self(rawValue: 8)
    public static let `private` = Self(rawValue: 9)
    public static let ermes = Self(rawValue: 10)
    public static let internet = Self(rawValue: 14)
    public static let wapClientID = Self(rawValue: 18)
}

/// `interface_version` (SMPP 3.4 §5.2.4). 0x00 to 0x33 mean 3.3 or older.
public struct InterfaceVersion: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let v33 = Self(rawValue: 0x33)
    public static let v34 = Self(rawValue: 0x34)
    public static let v50 = Self(rawValue: 0x50)
    /// Whether the peer may be sent optional parameters (SMPP 3.4 §3.4.2: not when it is of 3.3).
    @inlinable public var allowsTLVs: Bool { self.rawValue >= 0x34 }
}

/// `message_state` (SMPP 3.4 §5.2.28), with the words of the receipt text (Appendix B).
public struct MessageState: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// SMPP 5.0 only.
    public static let scheduled = Self(rawValue: 0)
    public static let enroute = Self(rawValue: 1)
    public static let delivered = Self(rawValue: 2)
    public static let expired = Self(rawValue: 3)
    public static let deleted = Self(rawValue: 4)
    public static let undeliverable = Self(rawValue: 5)
    /// Read by customer care in the recipient's place. A final state.
    public static let accepted = Self(rawValue: 6)
    /// "Invalid state" in the specification. Carriers use it as a final failure of unknown cause.
    public static let unknown = Self(rawValue: 7)
    public static let rejected = Self(rawValue: 8)
    /// SMPP 5.0 only.
    public static let skipped = Self(rawValue: 9)

    /// Whether nothing more will happen to the message.
    public var isFinal: Bool { self != .enroute && self != .scheduled }

    /// The `stat:` word of Appendix B; nil for a number that no specification knows.
    public var statWord: String? {
        switch self {
        case .scheduled: "SCHEDULED"
        case .enroute: "ENROUTE"
        case .delivered: "DELIVRD"
        case .expired: "EXPIRED"
        case .deleted: "DELETED"
        case .undeliverable: "UNDELIV"
        case .accepted: "ACCEPTD"
        case .unknown: "UNKNOWN"
        case .rejected: "REJECTD"
        case .skipped: "SKIPPED"
        default: nil
        }
    }

    /// The state that a `stat:` word names; nil when no dialect known to us has it. Case does not matter.
    public init?(statWord: String) {
        // Besides the seven-letter words of Appendix B, peers write the state out in full or cut it elsewhere.
        switch statWord.uppercased() {
        case "DELIVRD", "DELIVERED", "DELIVERD": self = .delivered
        case "EXPIRED", "EXPIRD": self = .expired
        case "DELETED": self = .deleted
        case "UNDELIV", "UNDELIVERABLE", "UNDELIVERED", "UNDELIVRD", "FAILED": self = .undeliverable
        case "ACCEPTD", "ACCEPTED": self = .accepted
        case "UNKNOWN", "UNKNOWND": self = .unknown
        case "REJECTD", "REJECTED": self = .rejected
        case "ENROUTE", "BUFFERED", "BUFFRED": self = .enroute
        case "SCHEDULED", "SCHEDLD": self = .scheduled
        case "SKIPPED": self = .skipped
        default: return nil
        }
    }
}

/// Which of the three binds: what the session may carry.
public enum BindKind: Sendable, Hashable, CaseIterable {
    case transmitter, receiver, transceiver

    public var commandID: CommandID {
        switch self {
        case .transmitter: .bindTransmitter
        case .receiver: .bindReceiver
        case .transceiver: .bindTransceiver
        }
    }

    /// Whether the ESME may submit.
    public var transmits: Bool { self != .receiver }
    /// Whether the SMSC may deliver.
    public var receives: Bool { self != .transmitter }
}
