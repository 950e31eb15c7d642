/// `command_status` (SMPP 3.4 §5.1.3, 5.0 §4.7.6). Open: carriers define their own, from 0x400 by the book and anywhere in practice.
public struct CommandStatus: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let ok = Self(rawValue: 0x000)
    public static let invalidMessageLength = Self(rawValue: 0x001)
    public static let invalidCommandLength = Self(rawValue: 0x002)
    public static let invalidCommandID = Self(rawValue: 0x003)
    public static let invalidBindStatus = Self(rawValue: 0x004)
    public static let alreadyBound = Self(rawValue: 0x005)
    public static let invalidPriorityFlag = Self(rawValue: 0x006)
    public static let invalidRegisteredDelivery = Self(rawValue: 0x007)
    public static let systemError = Self(rawValue: 0x008)
    public static let invalidSourceAddress = Self(rawValue: 0x00A)
    public static let invalidDestinationAddress = Self(rawValue: 0x00B)
    public static let invalidMessageID = Self(rawValue: 0x00C)
    public static let bindFailed = Self(rawValue: 0x00D)
    public static let invalidPassword = Self(rawValue: 0x00E)
    public static let invalidSystemID = Self(rawValue: 0x00F)
    public static let cancelFailed = Self(rawValue: 0x011)
    public static let replaceFailed = Self(rawValue: 0x013)
    public static let messageQueueFull = Self(rawValue: 0x014)
    public static let invalidServiceType = Self(rawValue: 0x015)
    public static let invalidNumberOfDestinations = Self(rawValue: 0x033)
    public static let invalidDistributionListName = Self(rawValue: 0x034)
    public static let invalidDestinationFlag = Self(rawValue: 0x040)
    public static let invalidSubmitWithReplace = Self(rawValue: 0x042)
    public static let invalidESMClass = Self(rawValue: 0x043)
    public static let cannotSubmitToDistributionList = Self(rawValue: 0x044)
    public static let submitFailed = Self(rawValue: 0x045)
    public static let invalidSourceTON = Self(rawValue: 0x048)
    public static let invalidSourceNPI = Self(rawValue: 0x049)
    public static let invalidDestinationTON = Self(rawValue: 0x050)
    public static let invalidDestinationNPI = Self(rawValue: 0x051)
    public static let invalidSystemType = Self(rawValue: 0x053)
    public static let invalidReplaceIfPresent = Self(rawValue: 0x054)
    public static let invalidNumberOfMessages = Self(rawValue: 0x055)
    public static let throttled = Self(rawValue: 0x058)
    public static let invalidScheduledDelivery = Self(rawValue: 0x061)
    public static let invalidExpiry = Self(rawValue: 0x062)
    public static let invalidDefaultMessageID = Self(rawValue: 0x063)
    public static let temporaryAppError = Self(rawValue: 0x064)
    public static let permanentAppError = Self(rawValue: 0x065)
    public static let rejectedAppError = Self(rawValue: 0x066)
    public static let queryFailed = Self(rawValue: 0x067)
    public static let invalidTLVStream = Self(rawValue: 0x0C0)
    public static let tlvNotAllowed = Self(rawValue: 0x0C1)
    public static let invalidTLVLength = Self(rawValue: 0x0C2)
    public static let missingTLV = Self(rawValue: 0x0C3)
    public static let invalidTLVValue = Self(rawValue: 0x0C4)
    public static let deliveryFailure = Self(rawValue: 0x0FE)
    public static let unknownError = Self(rawValue: 0x0FF)
    public static let serviceTypeUnauthorized = Self(rawValue: 0x100)
    public static let prohibited = Self(rawValue: 0x101)
    public static let serviceTypeUnavailable = Self(rawValue: 0x102)
    public static let serviceTypeDenied = Self(rawValue: 0x103)
    public static let invalidDataCoding = Self(rawValue: 0x104)
    public static let invalidSourceSubunit = Self(rawValue: 0x105)
    public static let invalidDestinationSubunit = Self(rawValue: 0x106)
    public static let invalidBroadcastFrequency = Self(rawValue: 0x107)
    public static let invalidBroadcastAlias = Self(rawValue: 0x108)
    public static let invalidBroadcastArea = Self(rawValue: 0x109)
    public static let invalidNumberOfBroadcastAreas = Self(rawValue: 0x10A)
    public static let invalidBroadcastContentType = Self(rawValue: 0x10B)
    public static let invalidBroadcastMessageClass = Self(rawValue: 0x10C)
    public static let broadcastFailed = Self(rawValue: 0x10D)
    public static let broadcastQueryFailed = Self(rawValue: 0x10E)
    public static let broadcastCancelFailed = Self(rawValue: 0x10F)
    public static let invalidBroadcastReplace = Self(rawValue: 0x110)
    public static let invalidBroadcastServiceGroup = Self(rawValue: 0x111)
    public static let invalidBroadcastChannel = Self(rawValue: 0x112)
}

extension CommandStatus: CustomStringConvertible {
    /// The specification's name, such as `ESME_RTHROTTLED`, or the number in hex.
    public var description: String { Self.names[self.rawValue] ?? "0x" + String(self.rawValue, radix: 16) }

    /// The status of that name: `ESME_RTHROTTLED`, `0x58` or `88`; nil when it is none of these.
    public init?(name: String) {
        if let known = Self.names.first(where: { $0.value == name }) {
            self.init(rawValue: known.key)
        } else if name.hasPrefix("0x"), let number = UInt32(name.dropFirst(2), radix: 16) {
            self.init(rawValue: number)
        } else if let number = UInt32(name) {
            self.init(rawValue: number)
        } else {
            return nil
        }
    }

    private static let names: [UInt32: String] = [
        0x000: "ESME_ROK",
        0x001: "ESME_RINVMSGLEN",
        0x002: "ESME_RINVCMDLEN",
        0x003: "ESME_RINVCMDID",
        0x004: "ESME_RINVBNDSTS",
        0x005: "ESME_RALYBND",
        0x006: "ESME_RINVPRTFLG",
        0x007: "ESME_RINVREGDLVFLG",
        0x008: "ESME_RSYSERR",
        0x00A: "ESME_RINVSRCADR",
        0x00B: "ESME_RINVDSTADR",
        0x00C: "ESME_RINVMSGID",
        0x00D: "ESME_RBINDFAIL",
        0x00E: "ESME_RINVPASWD",
        0x00F: "ESME_RINVSYSID",
        0x011: "ESME_RCANCELFAIL",
        0x013: "ESME_RREPLACEFAIL",
        0x014: "ESME_RMSGQFUL",
        0x015: "ESME_RINVSERTYP",
        0x033: "ESME_RINVNUMDESTS",
        0x034: "ESME_RINVDLNAME",
        0x040: "ESME_RINVDESTFLAG",
        0x042: "ESME_RINVSUBREP",
        0x043: "ESME_RINVESMCLASS",
        0x044: "ESME_RCNTSUBDL",
        0x045: "ESME_RSUBMITFAIL",
        0x048: "ESME_RINVSRCTON",
        0x049: "ESME_RINVSRCNPI",
        0x050: "ESME_RINVDSTTON",
        0x051: "ESME_RINVDSTNPI",
        0x053: "ESME_RINVSYSTYP",
        0x054: "ESME_RINVREPFLAG",
        0x055: "ESME_RINVNUMMSGS",
        0x058: "ESME_RTHROTTLED",
        0x061: "ESME_RINVSCHED",
        0x062: "ESME_RINVEXPIRY",
        0x063: "ESME_RINVDFTMSGID",
        0x064: "ESME_RX_T_APPN",
        0x065: "ESME_RX_P_APPN",
        0x066: "ESME_RX_R_APPN",
        0x067: "ESME_RQUERYFAIL",
        0x0C0: "ESME_RINVTLVSTREAM",
        0x0C1: "ESME_RTLVNOTALLWD",
        0x0C2: "ESME_RINVTLVLEN",
        0x0C3: "ESME_RMISSINGTLV",
        0x0C4: "ESME_RINVTLVVAL",
        0x0FE: "ESME_RDELIVERYFAILURE",
        0x0FF: "ESME_RUNKNOWNERR",
        0x100: "ESME_RSERTYPUNAUTH",
        0x101: "ESME_RPROHIBITED",
        0x102: "ESME_RSERTYPUNAVAIL",
        0x103: "ESME_RSERTYPDENIED",
        0x104: "ESME_RINVDCS",
        0x105: "ESME_RINVSRCADDRSUBUNIT",
        0x106: "ESME_RINVDSTADDRSUBUNIT",
        0x107: "ESME_RINVBCASTFREQINT",
        0x108: "ESME_RINVBCASTALIAS_NAME",
        0x109: "ESME_RINVBCASTAREAFMT",
        0x10A: "ESME_RINVNUMBCAST_AREAS",
        0x10B: "ESME_RINVBCASTCNTTYPE",
        0x10C: "ESME_RINVBCASTMSGCLASS",
        0x10D: "ESME_RBCASTFAIL",
        0x10E: "ESME_RBCASTQUERYFAIL",
        0x10F: "ESME_RBCASTCANCELFAIL",
        0x110: "ESME_RINVBCAST_REP",
        0x111: "ESME_RINVBCASTSRVGRP",
        0x112: "ESME_RINVBCASTCHANIND",
    ]
}
