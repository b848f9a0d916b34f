Sessions of browsers, by name. Times are the database's: the clocks of several dashboards need not agree.

-- begin_session --
INSERT INTO cellwitness_people.sessions (cookie_sha256, came_by, who, legal_basis)
VALUES (%(key)s, %(came_by)s, %(who)s, %(legal_basis)s);

-- find_session --
SELECT came_by, who, legal_basis, extract(epoch FROM now() - seen_at)::double precision AS idle_seconds
  FROM cellwitness_people.sessions
 WHERE cookie_sha256 = %(key)s AND seen_at > now() - make_interval(secs => %(idle_seconds)s)
   AND began_at > now() - make_interval(secs => %(greatest_seconds)s);

-- see_session --
UPDATE cellwitness_people.sessions SET seen_at = now() WHERE cookie_sha256 = %(key)s;

-- rest_session_on --
UPDATE cellwitness_people.sessions SET legal_basis = %(legal_basis)s WHERE cookie_sha256 = %(key)s;

-- end_session --
DELETE FROM cellwitness_people.sessions WHERE cookie_sha256 = %(key)s;

-- forget_sessions --
-- Those that are over, and of too many the ones that were idle longest.
DELETE FROM cellwitness_people.sessions
 WHERE seen_at <= now() - make_interval(secs => %(idle_seconds)s)
    OR began_at <= now() - make_interval(secs => %(greatest_seconds)s)
    OR cookie_sha256 IN (SELECT cookie_sha256 FROM cellwitness_people.sessions ORDER BY seen_at DESC OFFSET %(kept)s);
