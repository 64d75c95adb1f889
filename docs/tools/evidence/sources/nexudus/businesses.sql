select * from businesses
