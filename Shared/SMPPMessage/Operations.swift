public import Charset
public import Message
public import SMPP

/// A client's wish to replace a message that waits (SMPP 3.4 §4.10).
public struct Replacement: Sendable, Equatable {
    public var messageID: String
    /// Must be the original's.
    public var source: Address
    /// Nil: as it was.
    public var scheduledAt: Int64?
    public var expiresAt: Int64?
    public var reportRequest: ReportRequest
    public var intermediateReports: Bool
    /// Replace_sm has no data_coding: it is that of the original, and so is its header flag.
    public var body: Body
    public var parts: UInt32

    /// What replaces the original's, as a message: for the record of an order. 0 says "as it was".
    public var message: ShortMessage {
        var message = ShortMessage()
        message.body = self.body
        message.parts = self.parts
        message.reportRequest = self.reportRequest
        message.intermediateReports = self.intermediateReports
        message.scheduledAt = self.scheduledAt ?? 0
        message.expiresAt = self.expiresAt ?? 0
        return message
    }
}

/// A client's wish to cancel (§4.9).
public struct Cancellation: Sendable, Equatable {
    /// Nil: all messages with these addresses (and this service type, where it is not empty).
    public var messageID: String?
    public var serviceType: String
    public var source: Address
    public var destination: Address
}

extension MessageReader {
    /// - Parameters:
    ///   - original: the data_coding and header flag that the new text is read by.
    ///   - now: milliseconds since 1970, for relative times.
    public static func replacement(
        from pdu: ReplaceSm, originalDataCoding: DataCoding, originalHasHeader: Bool = false, now: Int64,
        defaultEncoding: TextEncoding = .gsm7
    ) throws(Refusal) -> Replacement {
        guard !pdu.messageID.isEmpty else { throw Refusal(status: .invalidMessageID, reason: "message_id is empty") }
        let octets = pdu.shortMessage.isEmpty ? pdu.tlvs.messagePayload ?? [] : pdu.shortMessage
        let (body, parts) = try body(octets, hasHeader: originalHasHeader, dataCoding: originalDataCoding, defaultEncoding)
        let schedule = try time(
            pdu.scheduleDeliveryTime, now: now, status: .invalidScheduledDelivery, field: "schedule_delivery_time")
        let expiry = try time(pdu.validityPeriod, now: now, status: .invalidExpiry, field: "validity_period")
        return Replacement(
            messageID: pdu.messageID, source: address(pdu.sourceAddr), scheduledAt: schedule == 0 ? nil : schedule,
            expiresAt: expiry == 0 ? nil : expiry, reportRequest: reportRequest(pdu.registeredDelivery),
            intermediateReports: pdu.registeredDelivery.wantsIntermediateNotification, body: body, parts: parts)
    }

    /// - Throws: ``Refusal`` where neither an id nor both addresses say what is to be cancelled.
    public static func cancellation(from pdu: CancelSm) throws(Refusal) -> Cancellation {
        if pdu.messageID.isEmpty, pdu.sourceAddr.value.isEmpty || pdu.destinationAddr.value.isEmpty {
            throw Refusal(status: .cancelFailed, reason: "without message_id, source_addr and destination_addr must be there")
        }
        return Cancellation(
            messageID: pdu.messageID.isEmpty ? nil : pdu.messageID, serviceType: pdu.serviceType, source: address(pdu.sourceAddr),
            destination: address(pdu.destinationAddr))
    }

    /// The answer to a query_sm (§4.8.2).
    /// - Parameters:
    ///   - messageID: as the client wrote it.
    ///   - finalAt: when the message reached its final state, in milliseconds since 1970; 0 as long as it has not.
    ///   - error: the network's or our own code; above 255 it does not fit and is 255.
    public static func queryAnswer(messageID: String, status: Status, finalAt: Int64, error: Int = 0) -> QuerySmResp {
        let isFinal = !status.isIntermediate
        return QuerySmResp(
            messageID: messageID, finalDate: isFinal && finalAt > 0 ? SMPPTime.absolute(finalAt) : "",
            messageState: MessageState(status), errorCode: UInt8(clamping: error))
    }
}
