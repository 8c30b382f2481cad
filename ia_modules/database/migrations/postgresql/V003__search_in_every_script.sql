-- requires-program: 0.1.0
-- What a search compares: text without the difference of upper and lower case, in every script; i with a dot
-- and without are one letter. A database's own rule may know ASCII only (C), so the best collation that this server has
-- is chosen; the first two map one letter to several (a sharp s to SS). This file is ASCII: an
-- encoding may have nothing else.
DO $$
DECLARE
    is_unicode BOOLEAN := getdatabaseencoding() = 'UTF8';
    rule TEXT := '';
    lowered TEXT;
BEGIN
    IF is_unicode THEN
        SELECT COALESCE(min(format('COLLATE pg_catalog.%I', collname)), '') INTO rule
          FROM (SELECT collname
                  FROM pg_collation
                 WHERE collnamespace = 'pg_catalog'::regnamespace
                   AND collname IN ('pg_unicode_fast', 'und-x-icu', 'pg_c_utf8')
                 ORDER BY array_position(ARRAY['pg_unicode_fast', 'und-x-icu', 'pg_c_utf8'], collname::TEXT)
                 LIMIT 1) AS best;
    END IF;
    lowered := format('lower(phrase %s)', rule);
    IF is_unicode THEN  -- the dot that a large i with a dot leaves
        lowered := format('replace(%s, ''i'' || chr(775), ''i'')', lowered);
    END IF;
    EXECUTE format(
        'CREATE FUNCTION ia_fold(phrase TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN upper(%s %s)',
        lowered, rule);
END
$$;
