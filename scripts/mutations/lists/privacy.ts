import { type MutationRow, mutationsOf } from '../mutation.ts'

const practiceTests = 'main/core/checks/practice-checker.test.ts'
const fails = (what: string): string => `the check of the practice network ${what} fails its row, and with it the level`
const ownTests = 'main/core/own-worker.test.ts'
const ownAnswers = (whom: string): string =>
  `the practice network beside a cheaper worker of a stranger, for the same model has the app’s own worker answer ${whom}`
const machineTests = 'main/chat/privacy/seal-machine.test.ts'
const widening = 'main/chat/privacy/widening.ts'
const wideningTests = 'main/chat/privacy/widening.test.ts'
const receiptTests = 'main/core/verify/receipt.test.ts'
const receipt = (what: string, code: string): string => `a receipt with ${what} is refused as ${code}, whatever its digest`
const sealTests = 'main/core/verify/receipt-seal.test.ts'
const sealOfReceipt = (what: string, code: string): string => `the seal of a receipt with ${what} is refused as ${code}`
const pageTests = 'main/headless/page-server.test.ts'
const cookieAlone =
  'page server does not let somebody talk who has only the cookie, which every web server of this computer is shown'
const differs = (what: string): string => sealOfReceipt(what, 'usage-differs')

const of = (file: string, testFile: string, rows: readonly MutationRow[]) => mutationsOf('privacy', file, testFile, rows)

/** The rows that earn a level, the machine that keeps a seal, consent, what verify believes of a receipt and its seal, and who may talk as the page. */
export const mutations = [
  ...of('main/core/checks/network-rows.ts', practiceTests, [
    ['encryption', fails('a connection without encryption'), 'if (key === undefined)', 'if (key === "")'],
    ['a registry that was read', fails('a registry that was never read'), 'root === null || age', 'root !== null && age'],
    ['age of the registry', fails('a registry that was read 11 minutes ago'), " || age === 'old'", ''],
    [
      'a registry of the future',
      fails('a registry that was read two minutes from now'),
      "if (age === 'future')",
      "if (age === 'old')",
    ],
    [
      'disagreement',
      fails('a registry of which endpoints tell different things'),
      'root.disputed !== undefined',
      'root.disputed === null',
    ],
    ['listing', fails('a proxy that is not listed'), 'if (!isListed)', 'if (!isListed && nowMs < 0)'],
    ['listing for clients', fails('a proxy that is listed for workers alone'), 'some(({ forClients:', 'some(({ forWorkers:'],
  ]),
  ...of('main/core/checks/used-connection.ts', practiceTests, [
    [
      'a disagreement that begins',
      'the check of the practice network falls at once when endpoints begin to disagree about the registry: what was checked before is not checked any more',
      "=== undefined ? '' : ' disputed'",
      "=== undefined ? '' : ''",
    ],
  ]),
  ...of('main/core/own-roles.ts', practiceTests, [
    [
      'the own proxy',
      fails('another proxy than the app’s own'),
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it stands in the source
      'endpoint === `127.0.0.1:${port}`',
      'endpoint !== ""',
    ],
  ]),
  ...of('main/core/checks/practice-checker.ts', practiceTests, [
    [
      'the proxy of the own worker',
      fails('a worker at another proxy than the app’s own'),
      'serves !== undefined && ',
      'serves === undefined && ',
    ],
  ]),
  ...of('main/core/own-roles.ts', ownTests, [
    ['the own worker', ownAnswers('a chat'), 'worker.holdsKey(keyId) ? undefined : notOwn', 'undefined'],
  ]),
  ...of('main/core/network-gateway.ts', ownTests, [
    ['the own worker for programs', ownAnswers('the local API'), '...ownWish(link.worker),', ''],
  ]),
  ...of('main/chat/privacy/seal-machine.ts', machineTests, [
    [
      'a new connection',
      'the seal of a level does not carry a seal over to a new connection',
      'if (connection !== null) return begin({ ...machine, connection }, connection)',
      'if (connection !== null) return stay({ ...machine, connection })',
    ],
    [
      'a lost connection',
      'the seal of a level falls with its connection at once and refuses who waits',
      "connection, state: { phase: 'idle' }, wishes: [] }",
      'connection, wishes: [] }',
    ],
    ['age', 'the seal of a level goes idle, checking, earned, aging, checking', 'ageMs <= freshMs', 'ageMs < Infinity'],
    ['a clock put back', 'the seal of a level takes a clock that was put back for a check of unknown age', 'ageMs >= 0 && ', ''],
    [
      'the newest check alone',
      'the seal of a level hears nothing of a check that was given up for a newer one',
      "event.run === machine.run && machine.state.phase === 'checking' ? found(",
      "machine.state.phase === 'checking' ? found(",
    ],
    [
      'the rows',
      'the seal of a level is Not verified by one failed row, blocks sending, and is looked at again when picked',
      'if (reason !== null) return failed(machine, reason, report)',
      '',
    ],
    [
      'sending after a failed check',
      'the seal of a level is Not verified by one failed row, blocks sending, and is looked at again when picked',
      "return refuse({ kind: 'not-verified', reason: state.reason })",
      "return { machine, effects: [{ type: 'permit', wish, connection }] }",
    ],
  ]),
  ...of('main/chat/privacy/judge.ts', machineTests, [
    [
      'a needed row',
      'what earns a level computer needs each of its rows',
      'if (row === undefined) return unclear',
      'if (row === undefined) continue',
    ],
  ]),
  ...of('main/chat/privacy/privacy.ts', 'main/core/hidden-keys.test.ts', [
    [
      'for whom consent was given',
      'the seal of an opened network that was checked before any worker had announced a key lets no question leave readable but with the consent that names the proxy’s owner',
      ', openReadersOf(keeper.state.value))',
      ')',
    ],
    [
      'the seal that was promised after the consent',
      'a consent that names the proxy’s owner, given before a check was made lets nothing leave readable once a check has promised a seal, though the proxy hides all keys after it',
      'open?.onChange(() => this.consent.narrow())',
      '',
    ],
  ]),
  ...of('main/chat/privacy/privacy.ts', 'main/chat/chat-privacy.test.ts', [
    [
      'consents of before the settings forbade it',
      'moving a chat to where more people could read is refused while the settings forbid the Open network, also to a chat that had consent',
      'openNetworkForbidden && this.consent.endAll()',
      'openNetworkForbidden',
    ],
  ]),
  ...of(widening, wideningTests, [
    [
      'the readers that were named',
      'consent to the Open network counts for the readers that were named alone, and the newest word counts',
      "readers === 'proxy-too' && !this.coversProxy(chatId)",
      'readers !== readers',
    ],
    [
      'the settings when consent is given',
      'consent to the Open network is worth nothing while the settings forbid it, and cannot be given then',
      '): void {\n    this.#forbid()',
      '): void {',
    ],
    [
      'the settings at each sending',
      'consent to the Open network is worth nothing while the settings forbid it, and cannot be given then',
      "if (level !== 'open') return\n    this.#forbid()",
      "if (level !== 'open') return",
    ],
    [
      'the end of a chat',
      'consent to the Open network counts for one chat, ends with it, and is needed for no other level',
      'this.#given.delete(chatId)',
      '',
    ],
    [
      'the choice what goes along',
      'moving a chat to another level does what was chosen, and nothing before',
      'if (move.along === undefined)',
      'if (move.messages < 0)',
    ],
  ]),
  ...of('main/core/verify/receipt.ts', receiptTests, [
    ['digest', 'a receipt notices that model was changed', 'digestOf(receipt) !== receipt.digest', "receipt.digest === ''"],
    ['sum of the parts', receipt('parts that are no sum', 'parts-differ'), 'if (parts !== total)', 'if (parts < 0n)'],
    ['cost', receipt('another cost', 'cost-differs'), '!== BigInt(receipt.cost)', '< 0n'],
    [
      'price',
      receipt('another price with its cost', 'price-differs'),
      'if (pricePerToken !== BigInt(receipt.pricePerToken))',
      'if (pricePerToken < 0n)',
    ],
    ['total', receipt('a total below the answer', 'total-falls'), 'if (totalAfter < total)', 'if (totalAfter < 0n)'],
    [
      'signed total',
      receipt('a larger total than was signed', 'signed-total-differs'),
      'if (check.tokens !== BigInt(signed.tokens))',
      'if (check.tokens < 0n)',
    ],
  ]),
  ...of('main/core/verify/receipt-seal.ts', sealTests, [
    [
      'fields of the key',
      sealOfReceipt('another owner', 'seal-key-differs'),
      'said.some((one, at) => one !== stated[at])',
      'said.length === 0',
    ],
    [
      'quote',
      sealOfReceipt('a quote that the key has not', 'seal-key-differs'),
      "hasQuote !== (worker.attestation.kind !== 'none')",
      'said.length === 0',
    ],
    ['the key itself', sealOfReceipt('a signature of nobody', 'seal-key-refused'), 'verifyKey(key, {', 'void ({'],
    [
      'time of the key',
      'the seal of a receipt is of the time of the answer: a key that ended long before is refused, one that ended meanwhile is not',
      'answeredAtMs - key.expiresAtMs < longestAnswerMs',
      'answeredAtMs > 0',
    ],
    ['stated tokens', differs('another total'), 'usage.statedTokens === total &&', ''],
    ['expected tokens', differs('more expected tokens'), 'recount.expectedTokens === counted.expectedTokens &&', ''],
    ['tolerance', differs('a wider tolerance'), 'recount.toleratedTokens === counted.toleratedTokens &&', ''],
    [
      'billed tokens',
      differs('other billed tokens than the worker’s'),
      '(worker === null || paidTokensOf(worker).answer === recount.billedTokens) &&',
      '',
    ],
    ['deviations', differs('a deviation that is none'), '.join() === usage.deviations.join()', '.length >= 0'],
  ]),
  ...of('main/protocol/sealed/recount.ts', 'main/protocol/sealed/recount.test.ts', [
    [
      'the proxy above the worker',
      'the bill of a sealed answer shows stated-above-worker',
      'stated.total > BigInt(worker.adjustedTokens)',
      'stated.total < 0n',
    ],
    [
      'the limit of the price',
      'the bill of a sealed answer shows coefficient-above-limit',
      'worker.coefficient > asked.maxCoefficient',
      'worker.coefficient < 0',
    ],
    [
      'tokens of the answer',
      'the bill of a sealed answer shows completion-beyond-tolerance',
      'paidTokensOf(worker).answer > toleratedTokens',
      'paidTokensOf(worker).answer < 0',
    ],
    [
      'tokens of the question',
      'the bill of a sealed answer shows prompt-beyond-tolerance',
      'paidTokensOf(worker).prompt > mostPrompt',
      'paidTokensOf(worker).prompt < 0',
    ],
    [
      'adjusted tokens',
      'the bill of a sealed answer shows adjusted-wrongly',
      'adjusted !== 0n && adjustUsage(counts, coefficient, multipliers).total !== adjusted',
      'adjusted < 0n',
    ],
  ]),
  ...of('main/proxy/proxy.ts', 'main/proxy/exchange.test.ts', [
    [
      'time of the lists',
      'exchange between scripted peers brings nothing to workers by the lists of a contract that was read at a time that is still to come, as after a clock that jumped back',
      "rootAge(root, this.#now(), rootLimitMs) === 'fresh'",
      "rootAge(root, this.#now(), rootLimitMs) !== 'old'",
    ],
  ]),
  ...of('contracts/known-codes.ts', receiptTests, [
    [
      'code of the contract',
      'a receipt does not say what a contract takes whose code is not known: any code has an address',
      ".includes(code.hash().toString('hex'))",
      '.length > 0 && code.bits.length > 0',
    ],
  ]),
  ...of('main/headless/sessions.ts', pageTests, [
    ['the key of a page', cookieAlone, ' && timingSafeEqual(known.pageKey, hashes.pageKey)', ''],
    [
      'the cookie of a page',
      'page server lets only the own page with a session use the socket',
      'timingSafeEqual(known.cookie, hashes.cookie) && ',
      '',
    ],
  ]),
  ...of('main/headless/page-server.ts', pageTests, [
    [
      'the key in the answer of the socket',
      cookieAlone,
      'offered.has(linkProtocol) && linkProtocol',
      '[...offered].at(-1) ?? false',
    ],
    ['the origin of a page', 'page server lets only the own page with a session use the socket', ' || !rightOrigin(request)', ''],
  ]),
]
