-- Of which entity a row is: version 0.1.0 knew one.
alter table land.windows add column entity varchar default 'CoworkerInvoiceHistory';
alter table land.windows alter column entity drop default;
alter table land.runs add column entity varchar default 'CoworkerInvoiceHistory';
alter table land.runs alter column entity drop default;
alter table land.rejected_records add column entity varchar default 'CoworkerInvoiceHistory';
alter table land.rejected_records alter column entity drop default;
alter table land.reconciliations add column entity varchar default 'CoworkerInvoiceHistory';
alter table land.reconciliations alter column entity drop default;
