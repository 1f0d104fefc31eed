import type { Mutation } from '../mutation.ts'

const folder = 'main/protocol/attestation'
type Row = readonly [name: string, test: string, find: string, replace: string]

/** Checks whose tests are manipulations: `group area: name`, the code follows. */
const of = (file: string, testFile: string, rows: readonly Row[]): Mutation[] =>
  rows.map(([name, test, find, replace]) => ({
    name: `${file}: ${name}`,
    file: `${folder}/${file}`,
    find,
    replace,
    testFile: `${folder}/${testFile}`,
    test,
  }))
const manipulated = (file: string, rows: readonly Row[]): Mutation[] => of(file, 'manipulations.test.ts', rows)
const signed = (what: string, code: string): string => `what somebody signed ${what} is refused: ${code}`
const bytes = (what: string, code: string): string => `bytes that were changed on the way ${what} is refused: ${code}`
const peer = (what: string, code: string): string => `peers, policies and lists ${what} is refused: ${code}`

export const mutations: readonly Mutation[] = [
  ...manipulated('quote.ts', [
    ['version', signed('header: version 6', 'quote-version-unsupported'), 'version !== 4 && version !== 5', 'version === 3'],
    ['TEE type', signed('header: an SGX enclave', 'quote-not-tdx'), 'tee !== tees.tdx', 'tee === -1'],
    ['body type', signed('header: a body of unknown type', 'quote-not-tdx'), "3: 'tdx-1.5' }", "3: 'tdx-1.5', 4: 'tdx-1.0' }"],
    ['key type', signed('header: ECDSA over P-384', 'quote-key-type-unsupported'), 'keyType !== ecdsaP256', 'keyType < 0'],
    [
      'vendor',
      signed('header: a vendor that is not Intel', 'quote-vendor-unknown'),
      '!intelVendorId.equals(reader.take(16))',
      'reader.take(16).length !== 16',
    ],
    ['bytes behind', signed('header: bytes behind the quote', 'quote-malformed'), '(byte) => byte !== 0', '(byte) => byte < 0'],
    [
      'certification type',
      signed('header: an encrypted PPID for the chain', 'quote-certification-unsupported'),
      'type !== wanted',
      'type < 0',
    ],
  ]),
  ...manipulated('intel-certificate.ts', [
    [
      'critical extensions',
      signed('chain: an unknown critical extension', 'chain-malformed'),
      'critical && !knownCritical.has(oid)',
      'critical && oid.length === 0',
    ],
  ]),
  ...of('intel-certificate.ts', 'verify-quote.test.ts', [
    [
      'curve',
      'certificates with a key of another curve are not read',
      ' || !p256Prefix.equals(keyInfo.subarray(0, p256Prefix.length))',
      '',
    ],
  ]),
  ...manipulated('intel-chain.ts', [
    [
      'number of certificates',
      signed('TCB info: without a root', 'chain-malformed'),
      'chain.length !== names.length',
      'chain.length < 1',
    ],
    [
      'words between certificates',
      bytes('collateral bytes: chain with words between', 'chain-malformed'),
      "const text = pem.replace(/\\0+$/, '')",
      "const text = pem.replace('\\nand\\n', '\\n').replace(/\\0+$/, '')",
    ],
    [
      'issuer name',
      signed('chain: the platform naming another issuer', 'chain-broken'),
      'Buffer.compare(certificate.issuer, issuer.subject) !== 0',
      'certificate.issuer.length === 0',
    ],
    [
      'signatures',
      signed('chain: the platform signed by a stranger', 'chain-broken'),
      '!isSignedBy(issuer.key, certificate.signed, certificate.signature)',
      'certificate.signature.length === 0',
    ],
    ['begin', signed('chain: a platform of tomorrow', 'chain-not-yet-valid'), 'nowMs < certificate.notBeforeMs', 'nowMs < 0'],
    ['end', signed('chain: a platform that has expired', 'chain-expired'), 'nowMs > certificate.notAfterMs', 'nowMs < 0'],
    [
      'root key',
      signed('chain: a root of its own', 'root-not-trusted'),
      '!roots.some((trusted) => hash !== undefined && Buffer.compare(trusted, hash) === 0)',
      'hash === undefined',
    ],
    [
      'names',
      signed('chain: a certificate for another task', 'chain-wrong-purpose'),
      '!fits || name?.test(certificate.commonName) !== true',
      '!fits || name === undefined',
    ],
    [
      'leaf that is an authority',
      signed('chain: a platform that is an authority', 'chain-wrong-purpose'),
      '!certificate.isAuthority && certificate.maySign',
      'certificate.maySign',
    ],
    [
      'leaf that may not sign',
      signed('chain: a platform that may not sign', 'chain-wrong-purpose'),
      '!certificate.isAuthority && certificate.maySign',
      '!certificate.isAuthority',
    ],
    [
      'authority',
      signed('chain: an authority that is none', 'chain-wrong-purpose'),
      ': certificate.isAuthority && certificate.mayCertify',
      ': certificate.mayCertify',
    ],
    [
      'right to certify',
      signed('chain: an authority that may not certify', 'chain-wrong-purpose'),
      ': certificate.isAuthority && certificate.mayCertify',
      ': certificate.isAuthority',
    ],
    [
      'length of the path',
      signed('chain: a root without room for an authority', 'chain-wrong-purpose'),
      '(certificate.pathLength ?? at) >= at - 1',
      'at > 0',
    ],
  ]),
  ...manipulated('pck-extension.ts', [
    [
      'length of octets',
      signed('chain: a platform that says it in another form', 'chain-malformed'),
      "throw new AttestationError('chain-malformed', 'The certificate of the platform does not say what it is', { cause })",
      "return { fmspc: 'b0c06f000000', pceId: '0000', pceSvn: 13, cpuSvn: new Array(16).fill(255), authority: 'platform' }",
    ],
  ]),
  ...manipulated('revocation-list.ts', [
    [
      'issuer',
      signed('revocation lists: a list of another issuer', 'crl-wrong-issuer'),
      'Buffer.compare(list.issuer, issuer.subject) !== 0 || ',
      '',
    ],
    [
      'right to sign lists',
      signed('revocation lists: an issuer that may not sign lists', 'crl-wrong-issuer'),
      ' || !issuer.maySignLists',
      '',
    ],
    [
      'signature',
      signed('revocation lists: the root’s list signed by a stranger', 'crl-signature-wrong'),
      '!isSignedBy(issuer.key, list.signed, list.signature)',
      'list.signature.length === 0',
    ],
    ['begin', signed('revocation lists: a list of tomorrow', 'collateral-not-yet-valid'), 'nowMs < list.issuedAtMs', 'nowMs < 0'],
    [
      'end',
      signed('revocation lists: the platforms’ list has expired', 'collateral-expired'),
      'nowMs > list.nextUpdateMs',
      'nowMs < 0',
    ],
    [
      'revoked serials',
      signed('revocation lists: a revoked platform', 'chain-revoked'),
      'list.revoked.has(certificate.serial)',
      'list.revoked.size < 0',
    ],
    [
      'extensions of a list',
      signed('revocation lists: an unknown critical extension', 'crl-malformed'),
      '  readExtensions(rest.slice(hasEntries ? 1 : 0), derTags.explicit0)\n',
      '',
    ],
  ]),
  ...manipulated('verify-collateral.ts', [
    [
      'platform’s chain',
      signed('chain: a platform that has expired', 'chain-expired'),
      '  verifyChain(pckChain, chainNames.pck, roots, nowMs)\n',
      '',
    ],
    [
      'chain of the TCB info',
      signed('TCB info: signed by an authority', 'chain-wrong-purpose'),
      '  verifyChain(tcbChain, chainNames.signing, roots, nowMs)\n',
      '',
    ],
    [
      'chain of the QE identity',
      signed('QE identity: signed by a certificate for platforms', 'chain-malformed'),
      '  verifyChain(qeChain, chainNames.signing, roots, nowMs)\n',
      '',
    ],
    [
      'root’s list',
      bytes('collateral bytes: root list changed', 'crl-signature-wrong'),
      '  verifyRevocationList(rootCrl, root, nowMs)\n',
      '',
    ],
    [
      'platforms’ list',
      signed('revocation lists: the platforms’ list signed by a stranger', 'crl-signature-wrong'),
      '  verifyRevocationList(pckCrl, authority, nowMs)\n',
      '',
    ],
    [
      'revoked authority',
      signed('revocation lists: a revoked authority', 'chain-revoked'),
      '[authority, root, ...tcbChain, ...qeChain]',
      '[root, ...tcbChain, ...qeChain]',
    ],
    [
      'revoked root',
      signed('revocation lists: a revoked root', 'chain-revoked'),
      'for (const certificate of [authority, root, ...tcbChain, ...qeChain])',
      'for (const certificate of [authority, ...tcbChain.slice(0, 1), ...qeChain.slice(0, 1)])',
    ],
    [
      'revoked signer of collateral',
      signed('revocation lists: a revoked signer of collateral', 'chain-revoked'),
      '[authority, root, ...tcbChain, ...qeChain]',
      '[authority, root]',
    ],
    [
      'revoked platform',
      signed('revocation lists: a revoked platform', 'chain-revoked'),
      '  requireNotRevoked(pckCrl, pck)\n',
      '',
    ],
    [
      'signature of the TCB info',
      signed('TCB info: signed by a stranger', 'collateral-signature-wrong'),
      "  checkSignature('information about the platform', collateral.tcbInfo, collateral.tcbInfoSignature, tcbChain)\n",
      '',
    ],
    [
      'signature of the QE identity',
      signed('QE identity: signed by a stranger', 'collateral-signature-wrong'),
      "  checkSignature('identity of the quoting enclave', collateral.qeIdentity, collateral.qeIdentitySignature, qeChain)\n",
      '',
    ],
    [
      'dates of the TCB info',
      signed('TCB info: that has expired', 'collateral-expired'),
      "  checkDates('information about the platform', tcbInfo, nowMs)\n",
      '',
    ],
    [
      'dates of the QE identity',
      signed('QE identity: that has expired', 'collateral-expired'),
      "  checkDates('identity of the quoting enclave', qeIdentity, nowMs)\n",
      '',
    ],
    ['collateral of tomorrow', signed('TCB info: of tomorrow', 'collateral-not-yet-valid'), 'nowMs < issueDate', 'nowMs < 0'],
    ['collateral of yesterday', signed('QE identity: that has expired', 'collateral-expired'), 'nowMs > nextUpdate', 'nowMs < 0'],
  ]),
  ...manipulated('signed-collateral.ts', [
    ['what the TCB info is about', signed('TCB info: about SGX', 'collateral-malformed'), "z.literal('TDX')", 'z.string()'],
    ['version of the TCB info', signed('TCB info: of version 2', 'collateral-malformed'), 'z.literal(3)', 'z.int()'],
    ['type of the TCB info', signed('TCB info: of another type', 'collateral-malformed'), 'z.literal(0)', 'z.int()'],
    ['number of components', signed('TCB info: with a component too few', 'collateral-malformed'), '.length(16)', '.max(16)'],
    ['which enclave', signed('QE identity: of the enclave for SGX', 'collateral-malformed'), "z.literal('TD_QE')", 'z.string()'],
    ['version of the QE identity', signed('QE identity: of version 1', 'collateral-malformed'), 'z.literal(2)', 'z.int()'],
  ]),
  ...manipulated('tcb-status.ts', [
    [
      'up to date',
      signed('platform: software to be hardened', 'tcb-hardening-needed'),
      "if (tcbStatus === 'UpToDate') return",
      "if (tcbStatus === 'UpToDate' || tcbStatus === 'SWHardeningNeeded') return",
    ],
    [
      'unknown states',
      signed('platform: a state nobody knows', 'tcb-status-unknown'),
      "if (tcbStatus === 'UpToDate') return",
      "if (tcbStatus === 'UpToDate' || reasons[tcbStatus] === undefined) return",
    ],
  ]),
  ...manipulated('platform-tcb.ts', [
    [
      'model of processor',
      signed('platform: another model of processor', 'collateral-not-for-this-platform'),
      'info.fmspc !== platform.fmspc || ',
      '',
    ],
    [
      'provisioning enclave',
      signed('platform: another provisioning enclave', 'collateral-not-for-this-platform'),
      ' || info.pceId !== platform.pceId',
      '',
    ],
    [
      'version of the provisioning enclave',
      signed('platform: an old provisioning enclave', 'tcb-out-of-date'),
      'tcb.pcesvn <= platform.pceSvn &&',
      '',
    ],
    ['microcode', signed('platform: old microcode', 'tcb-out-of-date'), 'svn <= (platform.cpuSvn[i] ?? -1)', 'svn >= 0'],
    [
      'TDX microcode',
      signed('platform: old TDX microcode', 'tcb-out-of-date'),
      'i < from || svn <= (body.teeTcbSvn[i] ?? -1)',
      'i >= 0',
    ],
    [
      'module of the first generation',
      signed('platform: an old module of the first generation', 'tcb-out-of-date'),
      'moduleMajor(body) === 0 ? 0 : 2',
      '2',
    ],
    [
      'generation of the module',
      signed('TDX module: a generation that Intel does not list', 'tdx-module-not-recognized'),
      'major !== 0 && identity === undefined',
      'major < 0',
    ],
    [
      'signer of the module',
      signed('TDX module: another signer', 'tdx-module-not-recognized'),
      'hexOf(body.mrSignerSeam) !== mrsigner || ',
      '',
    ],
    [
      'attributes of the module',
      signed('TDX module: other attributes', 'tdx-module-not-recognized'),
      ' || !sameUnderMask(body.seamAttributes, attributes, attributesMask)',
      '',
    ],
    [
      'version of the module',
      signed('TDX module: an old version', 'tcb-out-of-date'),
      'tcb.isvsvn <= (body.teeTcbSvn[0] ?? -1)',
      'tcb.isvsvn >= 0',
    ],
    [
      'debug enclave',
      signed('quoting enclave: a debug enclave', 'qe-debug'),
      '((report.attributes[0] ?? sgxDebug) & sgxDebug) !== 0',
      'report.attributes.length === 0',
    ],
    [
      'signer of the enclave',
      signed('quoting enclave: another signer', 'qe-not-recognized'),
      'hexOf(report.mrSigner) !== identity.mrsigner ||',
      '',
    ],
    [
      'product of the enclave',
      signed('quoting enclave: another product', 'qe-not-recognized'),
      'report.isvProdId !== identity.isvprodid ||',
      '',
    ],
    [
      'MISCSELECT of the enclave',
      signed('quoting enclave: another MISCSELECT', 'qe-not-recognized'),
      '!sameUnderMask(report.miscSelect, identity.miscselect, identity.miscselectMask) ||',
      '',
    ],
    [
      'attributes of the enclave',
      signed('quoting enclave: other attributes', 'qe-not-recognized'),
      '||\n    !sameUnderMask(report.attributes, identity.attributes, identity.attributesMask)',
      '',
    ],
    [
      'version of the enclave',
      signed('quoting enclave: an old version', 'tcb-out-of-date'),
      'tcb.isvsvn <= report.isvSvn',
      'tcb.isvsvn >= 0',
    ],
    [
      'a level must be found',
      signed('platform: older than all', 'tcb-not-listed'),
      'if (level === undefined) throw',
      'if (level === undefined) return { tcbDateMs: 0, advisoryIds: [] }\n  if (what.length < 0) throw',
    ],
  ]),
  ...manipulated('verify-quote.ts', [
    [
      'collateral',
      signed('TCB info: that has expired', 'collateral-expired'),
      'verifyCollateral(collateral, pckChain, roots, nowMs)',
      'verifyCollateral(collateral, pckChain, roots, nowMs - 86_000_000)',
    ],
    [
      'signatures',
      signed('signatures: a quote signed by a stranger', 'quote-signature-wrong'),
      '  checkSignatures(quote, pckChain)\n',
      '',
    ],
    [
      'QE report',
      signed('signatures: a QE report signed by a stranger', 'qe-signature-wrong'),
      'pck === undefined || !isSignedRaw(pck.key, quote.qeReport, quote.qeReportSignature)',
      'pck === undefined',
    ],
    [
      'binding of the attestation key',
      signed('signatures: another key under the old report', 'quote-key-not-bound'),
      'Buffer.compare(Buffer.concat([binding, new Uint8Array(32)]), reportData) !== 0',
      'binding.length !== 32 || reportData.length !== 64',
    ],
    [
      'quote signature',
      bytes('quote bytes: reportData', 'quote-signature-wrong'),
      '!isSignedRaw(attestationKey(quote), quote.signed, quote.signature)',
      'quote.signature.length === 0',
    ],
    ['attributes', signed('body: a debug machine', 'quote-debug'), '  checkAttributes(quote.body)\n', ''],
    ['debug', signed('body: a machine under profiling', 'quote-debug'), 'tdAttributes[0] !== 0', 'tdAttributes[0] === 1'],
    ['unknown attributes', signed('body: an unknown attribute', 'quote-attributes-not-allowed'), '!areKnown || ', ''],
    [
      'SEPT_VE_DISABLE',
      signed('body: SEPT_VE_DISABLE left out', 'quote-attributes-not-allowed'),
      ' || ((tdAttributes[3] ?? 0) & septVeDisable) === 0',
      '',
    ],
    [
      'service TD',
      signed('body: a service that may move the machine', 'quote-attributes-not-allowed'),
      'mrServiceTd?.some((byte) => byte !== 0)',
      'mrServiceTd?.some((byte) => byte < 0)',
    ],
    [
      'TDX module',
      signed('TDX module: an old version', 'tcb-out-of-date'),
      'checkTdxModule(verified.tcbInfo, quote.body)',
      'undefined',
    ],
  ]),
  ...manipulated('policy.ts', [
    [
      'report data',
      peer('certificate: the quote of another key', 'quote-not-for-this-key'),
      "!sameBytes(measured.reportData, createHash('sha512').update(publicKey).digest())",
      'publicKey.length !== 32',
    ],
    [
      'SEV-SNP',
      peer('certificate: evidence of SEV-SNP beside a quote', 'sev-snp-not-verifiable'),
      '  if (hasSevSnp)\n',
      '  if (hasSevSnp && quote === undefined)\n',
    ],
    [
      'MRTD',
      peer('policy: another MRTD', 'measurement-not-allowed'),
      "  requireListed('MRTD', measured.mrTd, lists.mrTds)\n",
      '',
    ],
    [
      'RTMRs',
      peer('policy: RTMRs of which one differs', 'measurement-not-allowed'),
      'set.every((rtmr, i) => sameBytes(rtmr, measured.rtmrs[i]))',
      'set.some((rtmr, i) => sameBytes(rtmr, measured.rtmrs[i]))',
    ],
    [
      'image hash',
      peer('policy: another image', 'measurement-not-allowed'),
      "  requireListed('image hash', hash, lists.imageHashes)\n",
      '',
    ],
    [
      'root hash',
      peer('policy: another root', 'measurement-not-allowed'),
      "  requireListed('collateral root hash', collateralRootHash, lists.collateralRootHashes)\n",
      '',
    ],
    [
      'a quote at all',
      peer('certificate: without a quote', 'quote-missing'),
      "if (quote === undefined) throw new AttestationError('quote-missing', 'The peer shows no attestation')",
      "if (quote === undefined) return { imageHash: noImageHash, attestation: 'none' }",
    ],
  ]),
  ...manipulated('verify.ts', [
    [
      'missing certificate',
      peer('certificate: none, as in a resumed session', 'certificate-missing'),
      "if (der === undefined || der.length === 0) throw new AttestationError('certificate-missing', 'The peer shows no certificate')",
      'if (der === undefined) return { publicKey: new Uint8Array(32), quote: undefined, hasSevSnp: false }',
    ],
    [
      'own signature',
      peer('certificate: signed by another key', 'certificate-not-self-signed'),
      ' || !inTls.verify(inTls.publicKey)',
      '',
    ],
    [
      'begin',
      peer('certificate: tomorrow', 'certificate-not-yet-valid'),
      '!(certificate.notBefore.getTime() <= nowMs)',
      'nowMs < 0',
    ],
    ['end', peer('certificate: yesterday', 'certificate-expired'), '!(nowMs <= certificate.notAfter.getTime())', 'nowMs < 0'],
    [
      'critical extensions',
      peer('certificate: an unknown critical extension', 'certificate-unknown-critical-extension'),
      'extension.critical && !knownOids.has(extension.type)',
      'extension.critical && extension.type.length === 0',
    ],
    [
      'extensions given twice',
      peer('certificate: two quotes', 'certificate-malformed'),
      'new Set(extensions.map((extension) => extension.type)).size !== extensions.length',
      'extensions.length < 0',
    ],
    [
      'size of a quote',
      peer('certificate: a giant quote', 'quote-malformed'),
      'quote.value.byteLength > mostQuoteBytes',
      'quote.value.byteLength > 2 * mostQuoteBytes',
    ],
    [
      'certificates inside a certificate',
      'what nobody manipulated passes',
      'inTls: NodeCertificate = nodeCertificate(der)',
      'inTls: NodeCertificate = new NodeCertificate(der)',
    ],
  ]),
  ...manipulated('root-membership.ts', [
    [
      'list',
      peer('root list: an image that is not listed', 'image-not-listed'),
      'if (!isListed(listing, part, hash)) throw',
      'if (hash.length !== 64) throw',
    ],
    [
      'which list',
      peer('root list: a worker among the proxies', 'image-not-listed'),
      "(part === 'proxy' ? proxyHashes : workerHashes).has(hash)",
      '[...proxyHashes, ...workerHashes].includes(hash)',
    ],
    [
      'dispute',
      peer('root list: endpoints that disagree', 'root-disputed'),
      'listing.disputed !== undefined',
      'listing.disputed === null',
    ],
    ['age', peer('root list: a block of half an hour ago', 'root-too-old'), 'ageMs > mostAgeMs', 'ageMs === 0.5'],
    ['clock', peer('root list: a block of tomorrow', 'root-from-the-future'), 'ageMs < -mostAheadMs', 'ageMs === 0.5'],
    ['no hash', peer('root list: no attestation, zeros listed', 'image-not-attested'), '/^0*$/.test(hash)', 'hash.length === 0'],
  ]),
  ...of('quote-verifier.ts', 'collateral.test.ts', [
    [
      'end of collateral',
      'verified quotes are never remembered beyond their collateral, nor before it',
      'Math.min(verified.verifiedAtMs + rememberMs, verified.collateral.expiresAtMs)',
      'verified.verifiedAtMs + rememberMs',
    ],
    [
      'begin of collateral',
      'verified quotes are never remembered beyond their collateral, nor before it',
      'nowMs > known.untilMs || nowMs < known.verified.collateral.validFromMs',
      'nowMs > known.untilMs',
    ],
    [
      'number of quotes',
      'verified quotes are bounded in number; the one that was not asked for for longest goes first',
      'this.#remembered.size <= mostRemembered',
      'this.#remembered.size <= 1_000_000',
    ],
    [
      'chain before a question',
      'verified quotes of strangers lead to no question to the service',
      '    verifyChain(pckChain, chainNames.pck, this.#roots, this.#now())\n',
      '',
    ],
  ]),
  ...of('collateral-cache.ts', 'collateral.test.ts', [
    [
      'older than what is kept',
      'kept collateral is not replaced by what Intel said before',
      'isAboutCollateral(used) || isOlder(used, old)',
      'isAboutCollateral(used)',
    ],
    [
      'spoiled collateral',
      'kept collateral is not replaced by what is spoiled, nor kept when it is',
      'isAboutCollateral(used) || isOlder(used, old)',
      'isOlder(used, old)',
    ],
    [
      'age',
      'kept collateral is replaced by what Intel says now, also when that is bad news',
      'ageMs < 0 || ageMs > (this.#options.refreshMs ?? 86_400_000)',
      'ageMs < 0',
    ],
  ]),
  ...of('collateral-service.ts', 'collateral.test.ts', [
    [
      'size of an answer',
      'a collateral service that gives an answer without end is not believed',
      'length > mostBytes',
      'length < 0',
    ],
    ['redirections', 'a collateral service that leads elsewhere is not followed', "redirect: 'error'", "redirect: 'follow'"],
    [
      'https',
      'a collateral service is named by its base address, over https or on this computer',
      "url.protocol === 'http:' && isHere",
      "url.protocol === 'http:'",
    ],
  ]),
]
