// Charset
