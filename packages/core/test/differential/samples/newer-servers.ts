import { type SampleGroup, samples } from '../sample-group.js';

// Commands that came after Redis 7.0. A server that lacks one of them leaves its samples out.
export const HASH_FIELD_EXPIRY: SampleGroup = {
  title: 'expiring hash fields',
  seed: ['hset hash a 1 b 2', 'hset other a 1', 'set str x'],
  exact: samples(`
    hexpire hash 100 FIELDS 2 a nope | hexpire missing 100 FIELDS 1 a | hexpire str 1 FIELDS 1 a
    hexpire hash 0 FIELDS 1 a | hexpireat hash 4102444800 FIELDS 1 a
    hexpiretime hash FIELDS 2 a nope | hpexpire hash 100000 NX FIELDS 1 a
    hpexpireat hash 4102444800000 FIELDS 1 a | hpexpiretime hash FIELDS 1 a
    hpersist hash FIELDS 2 a nope | httl hash FIELDS 2 a nope | httl missing FIELDS 1 a
    hpttl hash FIELDS 1 a | hpttl hash FIELDS x a | hgetdel hash FIELDS 2 a nope
    hgetdel missing FIELDS 1 a | hgetex hash EX 100 FIELDS 2 a nope | hgetex str FIELDS 1 a
    hsetex hash EX 100 FIELDS 1 c 3 | hsetex hash FNX FIELDS 1 a 9 | hsetex str FIELDS 1 a 1
  `),
};

export const VECTOR_SETS: SampleGroup = {
  title: 'vector sets',
  seed: ['set str x'],
  exact: samples(`
    vadd v VALUES 2 1 0 a | vcard v | vdim v | vismember v a | vrem v a
    vinfo v | vemb v a | vlinks v a | vrange v - + | vgetattr v a
    vsetattr v a {} | vsim v VALUES 2 1 0 | vsim v VALUES 2 1 0 WITHSCORES
    vrandmember v | vcard str
  `),
};

export const LATER_ADDITIONS: SampleGroup = {
  title: 'later additions',
  seed: [
    'set str hello',
    'set num 1',
    'rpush list a b',
    'sadd set a b',
    'xadd stream 1-1 f v',
    'xgroup CREATE stream group 0',
  ],
  exact: samples(`
    delex str IFEQ hello | delex missing | digest str | digest missing
    increx num BYINT 2 | msetex 1 a 1 EX 100 | msetex x | lmovem list other LEFT RIGHT COUNT 2
    sdiffcard 1 set | sunioncard 1 set | trimslots RANGES 1 0 1 | bless x
    backup x | xackdel stream group IDS 1 1-1 | xdelex stream IDS 1 1-1
    xcfgset stream IDMP-DURATION 100 | xidmprecord x | xnack x | hotkeys GET
    arset a 0 x | arget a 0 | arcount a | ardel a 0 | ardelrange a 0 1
    argetrange a 0 1 | argrep a - + x | arinfo a | arinsert a x | arlastitems a 1
    arlen a | armget a 0 1 | armset a 0 x | arnext a | arop a 0 1 SUM
    arring a 1 x | arscan a 0 1 | arseek a 0 | himport NOPE
  `),
  blocking: ['blmovem list other LEFT RIGHT 0.001'],
};
