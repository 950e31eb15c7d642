import Foundation

/// - Returns: nil where the text is no base64.
func base64Decode(_ text: String) -> [UInt8]? { Data(base64Encoded: text).map { [UInt8]($0) } }
