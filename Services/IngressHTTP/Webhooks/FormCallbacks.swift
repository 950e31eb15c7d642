import Message
import ServiceKit

/// Reports and messages as Jasmin's HTTP API throws them. Source: Jasmin's documentation, "HTTP API", "Receiving DLR" and "Receiving
/// messages". Pure.
enum JasminCallback {
    static func parameters(_ message: ShortMessage) -> [(String, String)] {
        guard message.type == .deliveryReport else { return received(message) }
        let report = message.report
        if report.status == .submitted || message.reportCallback.mask == 1 {
            return [
                ("id", String(message.origMsgid)), ("message_status", report.status == .submitted ? "ESME_ROK" : "ESME_RSUBMITFAIL"),
                ("level", "1"), ("connector", report.connector),
            ]
        }
        return [
            ("id", String(message.origMsgid)), ("message_status", ReportWords.state(report.status)), ("level", "2"),
            ("connector", report.connector), ("id_smsc", report.smscid), ("sub", "001"),
            ("dlvrd", report.status == .delivered || report.status == .relayed ? "001" : "000"), ("subdate", date(report.submittedAt)),
            ("donedate", date(report.doneAt)), ("err", report.error.isEmpty ? "000" : report.error), ("text", report.reasonText),
        ]
    }

    /// Level 1 tells whether the provider took it, level 2 what became of it then, level 3 both. That it was not taken is told on every
    /// level: there is nothing else to tell.
    static func isWanted(_ report: Report, level: UInt32) -> Bool {
        if report.status == .submitted { return level != 2 }
        return level != 1 || (report.smscid.isEmpty && report.status != .delivered)
    }

    private static func received(_ message: ShortMessage) -> [(String, String)] {
        let binary = message.body.encoding == .binary
        return [
            ("id", String(message.msgid)), ("from", message.source.number), ("to", message.destination.number),
            ("origin-connector", message.inConnector), ("priority", String(message.priority)), ("coding", binary ? "4" : "0"),
            ("validity", ""), ("content", message.body.text),
            ("binary", hexText(binary ? Array(message.body.data) : Array(message.body.text.utf8))),
        ]
    }

    /// `YYMMDDhhmm`.
    private static func date(_ milliseconds: Int64) -> String {
        guard milliseconds != 0 else { return "" }
        return String(Timestamp.text(milliseconds).filter { $0.isNumber }.dropFirst(2).prefix(10))
    }
}

/// Reports and messages as EMG's outgoing HTTP connectors write them: message options as parameters (EMG-REFERENCE 2.3, 4.2). Pure.
enum EMGCallback {
    static func parameters(_ message: ShortMessage) -> [(String, String)] {
        var parameters = [
            ("ID", String(message.msgid)), ("MSGTYPE", String(message.type.rawValue)), ("SOURCEADDR", message.source.number),
            ("DESTADDR", message.destination.number),
        ]
        if message.type == .deliveryReport {
            let report = message.report
            parameters += [
                ("ORIGID", String(message.origMsgid)), ("MESSAGESTATE", state(report.status)), ("STATUS", String(report.status.rawValue)),
                ("SMSCID", report.smscid), ("REASON", report.error), ("REASONTEXT", report.reasonText),
            ]
            if !message.reportCallback.reference.isEmpty { parameters.append(("NOTE", message.reportCallback.reference)) }
        } else if message.body.encoding == .binary {
            parameters += [("MESSAGE", hexText(message.body.data)), ("CHARCODE", "BINARY")]
        } else {
            parameters += [("MESSAGE", message.body.text), ("CHARCODE", "UTF8")]
        }
        if !message.body.udh.isEmpty { parameters.append(("UDH", hexText(message.body.udh))) }
        return parameters
    }

    private static func state(_ status: Status) -> String {
        switch status {
        case .delivered, .relayed: "DELIVERED"
        case .expired: "EXPIRED"
        case .buffered, .submitted, .queued, .accepted, .routed: "BUFFERED"
        default: "FAILED"
        }
    }
}
