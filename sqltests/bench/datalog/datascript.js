// The questions of bench/datalog asked of DataScript: datascript.js FOLDER. peers.rs says what is printed.
// Its attributes are strings here, so those of queries become strings.
const datascript = require('datascript'), fs = require('fs'), path = require('path');
const folder = process.argv[2];
const questions = JSON.parse(fs.readFileSync(path.join(folder, 'questions.json'), 'utf8'));
const WARM_UP_MS = 2000, RUNS = 5;

// A pipe takes lines whole only where nothing waits in this process.
const say = line => fs.writeSync(1, line + '\n');
const strings = text => text.replace(/:((?:person|node)\/[a-z]+)/g, '"$1"');
const lines = data => fs.readFileSync(path.join(folder, data + '.csv'), 'utf8').trim().split('\n').map(l => l.split(','));

function database(data) {
  const datoms = [];
  if (data.startsWith('people')) {
    for (const [id, name, surname, sex, age, , follows, , salary] of lines(data)) {
      const e = +id;
      datoms.push([e, 'person/id', e], [e, 'person/name', name], [e, 'person/surname', surname], [e, 'person/sex', sex],
        [e, 'person/age', +age], [e, 'person/salary', +salary], [e, 'person/follows', +follows]);
    }
  } else {
    const edges = lines(data).map(([a, b]) => [+a, +b]);
    for (const i of new Set(edges.flat())) datoms.push([i, 'node/id', i]);
    for (const [a, b] of edges) datoms.push([a, 'node/to', b]);
  }
  const unique = { ':db/unique': ':db.unique/identity' }, ref = { ':db/valueType': ':db.type/ref' };
  return datascript.init_db(datoms, {
    'person/id': unique, 'node/id': unique, 'person/follows': ref,
    'node/to': { ...ref, ':db/cardinality': ':db.cardinality/many' },
  });
}

function measured(ask) {
  const start = performance.now(), rows = ask(), first = performance.now() - start;
  if (first > WARM_UP_MS) return [rows, first];
  while (performance.now() - start < WARM_UP_MS) ask();
  const times = [];
  for (let i = 0; i < RUNS; i++) { const start = performance.now(); ask(); times.push(performance.now() - start); }
  return [rows, times.sort((a, b) => a - b)[RUNS >> 1]];
}

let loaded, db;
for (const { name, data, query, rules, args } of questions) {
  if (data !== loaded) {
    say('load ' + data);
    db = database(data);
    loaded = data;
  }
  say('ask ' + name);
  try {
    const text = strings(query), inputs = [...(rules ? [strings(rules)] : []), ...args];
    const [rows, ms] = measured(() => datascript.q(text, db, ...inputs).length);
    say(`answer ${name}\t${rows}\t${ms}`);
  } catch (e) {
    say(`failed ${name}\t${String(e).split('\n')[0]}`);
  }
}
