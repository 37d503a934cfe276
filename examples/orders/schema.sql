CREATE TABLE IF NOT EXISTS cards (number text PRIMARY KEY, is_blocked boolean NOT NULL);
CREATE TABLE IF NOT EXISTS charges (
    order_id bigint PRIMARY KEY,
    customer text NOT NULL,
    cents bigint NOT NULL
);
INSERT INTO cards VALUES ('4000-0001', false), ('4000-0002', true) ON CONFLICT DO NOTHING;
