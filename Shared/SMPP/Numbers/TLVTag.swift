/// The tag of an optional parameter (SMPP 3.4 §5.3.2, 5.0 §4.8.1). Open: 0x1400 to 0x3FFF are for vendors.
public struct TLVTag: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let destAddrSubunit = Self(rawValue: 0x0005)
    public static let destNetworkType = Self(rawValue: 0x0006)
    public static let destBearerType = Self(rawValue: 0x0007)
    public static let destTelematicsID = Self(rawValue: 0x0008)
    public static let sourceAddrSubunit = Self(rawValue: 0x000D)
    public static let sourceNetworkType = Self(rawValue: 0x000E)
    public static let sourceBearerType = Self(rawValue: 0x000F)
    public static let sourceTelematicsID = Self(rawValue: 0x0010)
    public static let qosTimeToLive = Self(rawValue: 0x0017)
    public static let payloadType = Self(rawValue: 0x0019)
    public static let additionalStatusInfoText = Self(rawValue: 0x001D)
    public static let receiptedMessageID = Self(rawValue: 0x001E)
    public static let msMsgWaitFacilities = Self(rawValue: 0x0030)
    public static let privacyIndicator = Self(rawValue: 0x0201)
    public static let sourceSubaddress = Self(rawValue: 0x0202)
    public static let destSubaddress = Self(rawValue: 0x0203)
    public static let userMessageReference = Self(rawValue: 0x0204)
    public static let userResponseCode = Self(rawValue: 0x0205)
    public static let sourcePort = Self(rawValue: 0x020A)
    public static let destinationPort = Self(rawValue: 0x020B)
    public static let sarMsgRefNum = Self(rawValue: 0x020C)
    public static let languageIndicator = Self(rawValue: 0x020D)
    public static let sarTotalSegments = Self(rawValue: 0x020E)
    public static let sarSegmentSeqnum = Self(rawValue: 0x020F)
    public static let scInterfaceVersion = Self(rawValue: 0x0210)
    public static let callbackNumPresInd = Self(rawValue: 0x0302)
    public static let callbackNumAtag = Self(rawValue: 0x0303)
    public static let numberOfMessages = Self(rawValue: 0x0304)
    public static let callbackNum = Self(rawValue: 0x0381)
    public static let dpfResult = Self(rawValue: 0x0420)
    public static let setDpf = Self(rawValue: 0x0421)
    public static let msAvailabilityStatus = Self(rawValue: 0x0422)
    public static let networkErrorCode = Self(rawValue: 0x0423)
    public static let messagePayload = Self(rawValue: 0x0424)
    public static let deliveryFailureReason = Self(rawValue: 0x0425)
    public static let moreMessagesToSend = Self(rawValue: 0x0426)
    public static let messageState = Self(rawValue: 0x0427)
    public static let congestionState = Self(rawValue: 0x0428)
    public static let ussdServiceOp = Self(rawValue: 0x0501)
    public static let broadcastChannelIndicator = Self(rawValue: 0x0600)
    public static let broadcastContentType = Self(rawValue: 0x0601)
    public static let broadcastContentTypeInfo = Self(rawValue: 0x0602)
    public static let broadcastMessageClass = Self(rawValue: 0x0603)
    public static let broadcastRepNum = Self(rawValue: 0x0604)
    public static let broadcastFrequencyInterval = Self(rawValue: 0x0605)
    public static let broadcastAreaIdentifier = Self(rawValue: 0x0606)
    public static let broadcastErrorStatus = Self(rawValue: 0x0607)
    public static let broadcastAreaSuccess = Self(rawValue: 0x0608)
    public static let broadcastEndTime = Self(rawValue: 0x0609)
    public static let broadcastServiceGroup = Self(rawValue: 0x060A)
    public static let billingIdentification = Self(rawValue: 0x060B)
    public static let sourceNetworkID = Self(rawValue: 0x060D)
    public static let destNetworkID = Self(rawValue: 0x060E)
    public static let sourceNodeID = Self(rawValue: 0x060F)
    public static let destNodeID = Self(rawValue: 0x0610)
    public static let destAddrNpResolution = Self(rawValue: 0x0611)
    public static let destAddrNpInformation = Self(rawValue: 0x0612)
    public static let destAddrNpCountry = Self(rawValue: 0x0613)
    public static let displayTime = Self(rawValue: 0x1201)
    public static let smsSignal = Self(rawValue: 0x1203)
    public static let msValidity = Self(rawValue: 0x1204)
    public static let alertOnMessageDelivery = Self(rawValue: 0x130C)
    public static let itsReplyType = Self(rawValue: 0x1380)
    public static let itsSessionInfo = Self(rawValue: 0x1383)

    /// Tags kept for vendors (SMPP 3.4 §5.3.2).
    public var isVendorSpecific: Bool { (0x1400...0x3FFF).contains(self.rawValue) }
}

extension TLVTag: CustomStringConvertible {
    /// The specification's name, such as `message_payload`, or the number in hex.
    public var description: String { Self.names[self.rawValue] ?? "0x" + String(self.rawValue, radix: 16) }

    private static let names: [UInt16: String] = [
        0x0005: "dest_addr_subunit",
        0x0006: "dest_network_type",
        0x0007: "dest_bearer_type",
        0x0008: "dest_telematics_id",
        0x000D: "source_addr_subunit",
        0x000E: "source_network_type",
        0x000F: "source_bearer_type",
        0x0010: "source_telematics_id",
        0x0017: "qos_time_to_live",
        0x0019: "payload_type",
        0x001D: "additional_status_info_text",
        0x001E: "receipted_message_id",
        0x0030: "ms_msg_wait_facilities",
        0x0201: "privacy_indicator",
        0x0202: "source_subaddress",
        0x0203: "dest_subaddress",
        0x0204: "user_message_reference",
        0x0205: "user_response_code",
        0x020A: "source_port",
        0x020B: "destination_port",
        0x020C: "sar_msg_ref_num",
        0x020D: "language_indicator",
        0x020E: "sar_total_segments",
        0x020F: "sar_segment_seqnum",
        0x0210: "SC_interface_version",
        0x0302: "callback_num_pres_ind",
        0x0303: "callback_num_atag",
        0x0304: "number_of_messages",
        0x0381: "callback_num",
        0x0420: "dpf_result",
        0x0421: "set_dpf",
        0x0422: "ms_availability_status",
        0x0423: "network_error_code",
        0x0424: "message_payload",
        0x0425: "delivery_failure_reason",
        0x0426: "more_messages_to_send",
        0x0427: "message_state",
        0x0428: "congestion_state",
        0x0501: "ussd_service_op",
        0x0600: "broadcast_channel_indicator",
        0x0601: "broadcast_content_type",
        0x0602: "broadcast_content_type_info",
        0x0603: "broadcast_message_class",
        0x0604: "broadcast_rep_num",
        0x0605: "broadcast_frequency_interval",
        0x0606: "broadcast_area_identifier",
        0x0607: "broadcast_error_status",
        0x0608: "broadcast_area_success",
        0x0609: "broadcast_end_time",
        0x060A: "broadcast_service_group",
        0x060B: "billing_identification",
        0x060D: "source_network_id",
        0x060E: "dest_network_id",
        0x060F: "source_node_id",
        0x0610: "dest_node_id",
        0x0611: "dest_addr_np_resolution",
        0x0612: "dest_addr_np_information",
        0x0613: "dest_addr_np_country",
        0x1201: "display_time",
        0x1203: "sms_signal",
        0x1204: "ms_validity",
        0x130C: "alert_on_message_delivery",
        0x1380: "its_reply_type",
        0x1383: "its_session_info",
    ]
}
