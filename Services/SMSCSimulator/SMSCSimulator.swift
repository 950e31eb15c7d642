// SMSCSimulator
