import { type Mutation, type MutationRow, mutationsOf } from '../mutation.ts'

const of = (file: string, testFile: string, rows: readonly MutationRow[]): Mutation[] => mutationsOf('seal', file, testFile, rows)

const answerTests = 'main/protocol/sealed/direct/sealing.test.ts'
const tampered = (what: string): string => `a sealed answer that is ${what} is found out`
const byWorker = (what: string): string => `a sealed answer by a worker that sends ${what} is malformed`

const moving =
  'a client with --seal attested leaves a proxy that is listed no more, and one whose quote holds no more, for another; without one it says why until there is one'
const saved = (what: string): string => `saved evidence is refused when it earned the attested level ${what}`
const saidOtherwise = 'saved evidence is refused when a row or a value says otherwise than its inputs'

/** What stands between a wish and its sending, and what is believed of saved files: seals, pinned keys, sealed answers, evidence, receipts. */
export const mutations: readonly Mutation[] = [
  ...of('main/chat/places.ts', 'main/chat/chat-privacy.test.ts', [
    [
      'the gate before a turn is stored',
      'what a chat sends waits for the check: nothing is stored, told or sent before',
      'await this.gate({ level, engine }, chatId)(waiting.signal)',
      '',
    ],
  ]),
  ...of('main/chat/privacy/judge.ts', 'main/chat/privacy/seal-machine.test.ts', [
    ['who checked', 'what earns a level takes no row for passed that nobody checked', ' || row.by === undefined', ''],
  ]),
  ...of('main/chat/privacy/widening.ts', 'main/chat/privacy/widening.test.ts', [
    [
      'consent of each chat',
      'consent to the Open network counts for one chat, ends with it, and is needed for no other level',
      'if (!this.#given.has(chatId))',
      'if (this.#given.size === 0)',
    ],
  ]),
  ...of('main/core/checks/computer-checker.ts', 'main/core/checks/computer-checker.test.ts', [
    [
      'a process that nothing is told of',
      'the process of the engine is failed with its network when it is one that has ended',
      "if (platform !== 'linux')",
      'if (true)',
    ],
  ]),
  ...of('main/core/checks/process-sockets.ts', 'main/core/checks/process-sockets.test.ts', [
    [
      'the processes below',
      'what the system tells of a process is a port of a process that it started itself',
      'internetSockets += facts.internetSockets',
      'internetSockets += 0',
    ],
  ]),
  ...of('main/client/seal-choice.ts', 'main/roles/sealed-queries.test.ts', [
    [
      'what may leave readable past a worker that rests',
      'sealed queries through a whole network a worker that pauses is not asked while another is there, nor named as one that could read; who agreed to that is answered readable',
      "seal === 'agreed'",
      "seal !== 'required'",
    ],
  ]),
  ...of('main/protocol/sealed/direct/cache-scope.ts', 'main/protocol/sealed/direct/cache-scope.test.ts', [
    ['a scope for each worker', 'differs by worker, by conversation and by client', '.update(keyId)', ''],
    [
      'the secret of the client',
      'differs by worker, by conversation and by client',
      "createHmac('sha256', secret)",
      "createHmac('sha256', '')",
    ],
  ]),
  ...of('main/protocol/sealed/direct/cache-scope.ts', 'main/worker/cache-scope.test.ts', [
    [
      'a scope that nobody can guess',
      'keeps nothing for a name that could be guessed: "own"',
      '/^[0-9a-f]{64}$/.test(scope)',
      'true',
    ],
  ]),
  ...of('main/worker/serve-query.ts', 'main/worker/cache-scope.test.ts', [
    [
      'a scope inside a seal',
      'keeps nothing of a readable request, whatever it names',
      'sealedLimits && cacheScopeIn',
      'cacheScopeIn',
    ],
  ]),
  ...of('main/core/opened-levels.ts', 'main/core/hidden-keys.test.ts', [
    [
      'the seal that the sheet of the Open network promised',
      'a question of the level open, checked while a proxy told a worker’s key is not sent, sealed or readable, once the proxy hides all keys and the one it told has run out',
      "return { seal: 'required', objectionTo:",
      "return { seal: 'offered' } || { seal: 'required', objectionTo:",
    ],
    [
      'the consent that names the proxy’s owner',
      'what a question of the Open network asks of its seal consent to the worker’s owner alone',
      'if (mayBeReadable && ',
      'if (',
    ],
    [
      'a check that runs',
      'what a question of the Open network asks of its seal consent to both, while it is checked anew',
      ' && isJudged',
      '',
    ],
    [
      'the seal that was promised to whom would agree to less',
      'what a question of the Open network asks of its seal consent to both, where the sheet promises a seal',
      " && openReadersOf(seal) === 'proxy-too'",
      '',
    ],
    [
      'the owners that it named',
      'a question of the level open, checked while a proxy told a worker’s key is sealed to nobody else when the proxy tells the good key of another owner in its place, and the next check finds that one',
      'owners.has(owner)',
      'owners.size > 0',
    ],
    [
      'the workers that the sheet of the Attested network named',
      'a question of the level attested, checked while a proxy told a worker’s key is sealed to nobody else when the proxy tells the good key of another owner in its place, and the next check finds that one',
      'readers.has(worker.keyId)',
      'readers.size > 0',
    ],
  ]),
  ...of('main/roles/attested-peers.ts', 'main/roles/attested-questions.test.ts', [
    [
      'the model',
      'a client with --seal attested sends nothing to an attested worker whose model the contract does not list, and says why',
      '...(isListed',
      '...(isListed || model.length > 0',
    ],
    [
      'the graphics card',
      'a client with --seal attested sends nothing to an attested worker whose graphics card is open to its host, and says why',
      "gpu === 'confidential' ||",
      'gpu !== undefined ||',
    ],
    [
      'the image of the worker',
      'a client with --seal attested sends nothing to an attested worker whose image the contract does not list, and says why',
      "'hex')), 'worker', root, rules)",
      "'hex')), 'worker', root, rules).slice(1)",
    ],
  ]),
  ...of('main/roles/standing-peers.ts', 'main/roles/attested-questions.test.ts', [
    ['the list, after dialling', moving, 'this.#requireListed(imageHash)', 'void imageHash'],
    ['the quote, after dialling', moving, 'if (quote !== undefined) await', 'if (quote === undefined) await'],
    [
      'new readings of the contract',
      moving,
      'this.#root.onChange(() => void this.#look(connection, peer))',
      'this.#root.onChange(() => undefined)',
    ],
    [
      'what is no fault of a proxy',
      'a client with --seal attested stays where it is while the contract can be judged by at no proxy',
      'ofNoPeer.has(thrown.code)',
      'ofNoPeer.size < 0',
    ],
  ]),
  ...of('main/roles/network-keys.ts', 'main/roles/key-manager-role.test.ts', [
    [
      'the key manager, after dialling',
      'the key manager role is left while its connection stands, once its quote holds no more by what Intel says then',
      'standingOptions(policyNamedOf(policy, role), network.root,',
      'standingOptions(policyNamedOf(policy, role), { ...network.root, value: network.root.value, onChange: () => () => undefined },',
    ],
  ]),
  ...of('main/proxy/ports.ts', 'main/proxy/ports.test.ts', [
    [
      'the quote of a peer that came in, later',
      'leaves a peer whose quote holds no more within the hour, however long its connection stands',
      'void standing.look()',
      '',
    ],
  ]),
  ...of('main/proxy/worker-line.ts', 'main/proxy/exchange.test.ts', [
    [
      'the image of a worker that came in, later',
      'exchange between scripted peers leaves a worker whose software the contract lists no more, while its connection stands',
      'checkImageHash?.(this.#imageHash) === false',
      'false',
    ],
    [
      'the model of a worker that came in, later',
      'exchange between scripted peers leaves a worker whose model the contract lists no more, while its connection stands',
      'checkModel?.(this.#profile.model) === false',
      'false',
    ],
  ]),
  ...of('main/core/network-tool/owner-order.ts', 'main/headless/network-agreement.test.ts', [
    [
      'the other endpoints',
      'a command that costs money of the owner sends nothing while endpoints disagree, and says so',
      'readAgreedRoot(chain, address, others)',
      'readAgreedRoot(chain, address, others.slice(9))',
    ],
    [
      'the other endpoints, right before sending',
      'a command that costs money of the owner sends nothing while endpoints disagree, and says so',
      'if ((await beforeSending(tool.chain.kind, () => readContract(tool, address)))',
      'if ((await beforeSending(tool.chain.kind, () => readContract({ ...tool, others: [] }, address)))',
    ],
  ]),
  ...of('main/core/network-tool/show.ts', 'main/headless/network-agreement.test.ts', [
    [
      'the other endpoints',
      'network show shows nothing that endpoints disagree about, whichever is read first, and names them',
      'readAgreedRoot(chain, address, others)',
      'readAgreedRoot(chain, address, others.slice(9))',
    ],
  ]),
  ...of('main/network/deployment.ts', 'main/headless/network-agreement.test.ts', [
    [
      'the other endpoints',
      'a command that costs money deploys nothing while one says that the contract is there already',
      'readAgreed(chain, others, deployed.address)',
      'readAgreed(chain, others.slice(9), deployed.address)',
    ],
  ]),
  ...of('main/roles/role-options.ts', 'main/roles/attested-questions.test.ts', [
    [
      'proxies after dialling',
      'a client with --policy tdx alone leaves a proxy that is listed no more for another, with the next reading of the contract',
      'look?.(peer, connection)',
      'void look',
    ],
  ]),
  ...of('main/core/network-attestation.ts', 'main/core/attested-level.test.ts', [
    [
      'proxies after dialling',
      'the level Attested network goes on at another proxy when the contract takes back the image of the one in use, or its quote holds no more',
      'standing.see(peer, connection)',
      'void standing',
    ],
  ]),
  ...of('main/devices/host-link.ts', 'main/devices/link.test.ts', [
    [
      'the pinned key',
      'the link of two paired installs another computer at the address of the host gets no byte',
      'Buffer.compare(dialled.key, host.key) !== 0',
      'host.key.length === 0',
    ],
  ]),
  ...of('main/protocol/sealed/direct/answer-keys.ts', answerTests, [
    ['order', tampered('reordered'), '(low ^ (index >>> 0)) >>> 0', 'low'],
  ]),
  ...of('main/protocol/sealed/direct/answer-opener.ts', answerTests, [
    ['tag', tampered('altered'), 'decipher.final()', ''],
    ['end marker', tampered('cut off'), "if (this.#state !== 'ended')\n", 'if (this.#keys === undefined)\n'],
    [
      'behind the end',
      tampered('with a byte behind its end'),
      'if (this.#held.length > 0) throw',
      'if (this.#held.length < 0) throw',
    ],
    ['size', tampered('with a size of four gigabytes'), '!isRecordBucket(size - tagBytes)', 'size < 0'],
    ['one head', byWorker('two heads'), "if (this.#state !== 'new') throw", "if (this.#state === 'ended') throw"],
    ['a head at all', byWorker('no head'), "if (this.#state !== 'headed') throw", "if (this.#state === 'ended') throw"],
    ['a head alone', byWorker('a head with a body'), 'if (payload.length > 0) throw', 'if (payload.length < 0) throw'],
  ]),
  ...of('main/core/verify/evidence.ts', 'main/core/verify/evidence.test.ts', [
    [
      'verdict',
      'saved evidence is refused when its verdict does not follow from its rows',
      "(objection(level, report.rows) === null) !== (verdict === 'earned')",
      'report.rows.length < 0',
    ],
    [
      'depth',
      'saved evidence is refused when it earned the attested level without a quote, or hides one where nobody looks',
      "throw new Failure('evidence-malformed', 'The inputs of this evidence are nested too deeply.')",
      'return []',
    ],
    [
      'whose key',
      'saved evidence says whether a quote was made for a key that the file names',
      '.equals(reportData)',
      '.equals(reportData) || bytes.length > 0',
    ],
    ['text', 'saved evidence cannot print lines of its own', 'plain(statement.text)', 'statement.text'],
    [
      'all of it',
      saved('without a quote for the worker’s key'),
      "level === 'attested' && verdict === 'earned' ? attestedRows",
      "level === 'attested' && verdict !== 'earned' ? attestedRows",
    ],
    [
      'no quote',
      'saved evidence is refused when it earned the attested level without a quote, or hides one where nobody looks',
      'if (quotes.length === 0)\n    throw',
      'if (quotes.length < 0)\n    throw',
    ],
  ]),
  ...of('main/core/verify/attested-evidence.ts', 'main/core/verify/evidence.test.ts', [
    [
      'a key of a proxy',
      'saved evidence is refused when it earned the attested level and names no key of a proxy',
      'if (key === undefined || !hash.safeParse(key).success)',
      'if (key === null)',
    ],
    ['a key of a worker', saved('without a key of a worker'), 'if (workers.length === 0)', 'if (workers.length < 0)'],
    [
      'a quote of its own',
      saved('without a quote for the proxy’s key'),
      '.equals(quote.body.measured.reportData)) throw missing',
      '.equals(quote.body.measured.reportData) && bytes.length === 0) throw missing',
    ],
    [
      'the quote of the key',
      'saved evidence is refused when its key was signed by another than its owner, or its quote is not the one that the key came with',
      '!Buffer.from(key.quote).equals(quote.evidence.quote)',
      'key.quote.length === 0',
    ],
    [
      'signature of the owner',
      'saved evidence is refused when its key was signed by another than its owner, or its quote is not the one that the key came with',
      'verifyKey(key, {',
      'void ({',
    ],
    [
      'image of the proxy',
      saved('without the proxy’s image in its list'),
      'refuse(proxyObjections(peer, root, { nowMs: judgedAtMs }))',
      '',
    ],
    [
      'image and model of the worker',
      saved('without the worker’s model in its list'),
      'refuse(workerObjections(worker, root, { nowMs }))',
      '',
    ],
    ['time of the check', saved('without the time of its check'), ' || checkedAtMs - judgedAtMs > checkLimitMs', ''],
    ['time of the block', saved('without a block of that time'), '!within(judgedAtMs - blockTimeMs, mostRootAgeMs) || ', ''],
    [
      'time of the reading',
      saved('without a reading of that time'),
      ' || !within(judgedAtMs - readAtMs, mostRootAgeMs + clockMs)',
      '',
    ],
    ['a time ahead', saved('without a reading of before'), 'ageMs >= -clockMs && ', ''],
    ['time of a quote', saved('without the time of its quote'), 'if (!quotes.every(isOfThen))', 'if (quotes.length < 0)'],
    ['rows', saidOtherwise, '!isDeepStrictEqual(report.rows.map(rowWithoutText),', 'isDeepStrictEqual([],'],
    ['values', saidOtherwise, '!isDeepStrictEqual(items(report.evidence),', 'isDeepStrictEqual([0],'],
    ['connection', saidOtherwise, '{ version: registry.version }))\n', '{ version: registry.version }) && count === 0)\n'],
  ]),
  ...of('main/core/verify/receipt.ts', 'main/core/verify/receipt.test.ts', [
    [
      'signature',
      'a receipt with a payment signed by another key is refused as signature-refused, whatever its digest',
      "if (check.state !== 'good')",
      "if (check.state === 'refused' && check.reason !== 'signature')",
    ],
    [
      'contract of the key',
      'a receipt with another key is refused as contract-not-of-this-key, whatever its digest',
      '!clientInit(identity).address.equals(contract)',
      'identity.publicKey.length === 0',
    ],
    [
      'total',
      'a receipt with a signature from before the answer is refused as not-signed-yet, whatever its digest',
      'if (check.tokens < totalAfter)',
      'if (check.tokens < 0n)',
    ],
  ]),
  ...of('main/core/verify/receipt.ts', 'main/core/verify/find-charge.test.ts', [
    [
      'a charge that was carried out',
      'the charge of a receipt is not a refused message with a larger total: a wrong signature, or too little money to carry it out',
      'description.aborted || ',
      '',
    ],
    ['signature of a charge', 'the charge of a receipt is signed by the key of the receipt', 'reason === null ? ', 'true ? '],
  ]),
]
