-- Takes revision 0013 back: nobody is told of approvals any more, and links that were sent stop working.
DROP TABLE review_link_keys, reviewer_contacts, channels;
