import SMPP

/// A moment in SMPP's format.
func smppTime(_ text: String, _ now: Int64) -> Int64? { SMPPTime.parse(text, now: now) }
