import { Check, CircleAlert, Download, LoaderCircle, Receipt } from 'lucide-react'
import type { Payout } from '../../../preload/api/earn.ts'
import { shortHash } from '../format/names.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { EmptyState } from '../ui/empty-state.tsx'
import { Icon } from '../ui/icon.tsx'
import { saveFile } from '../ui/save-file.ts'
import { ScrollRegion } from '../ui/scroll-region.tsx'
import { payoutsCsv } from './payouts-csv.ts'

const icons = { sending: LoaderCircle, confirming: LoaderCircle, settled: Check, failed: CircleAlert } as const

/** What was expected by the signed payment, what the owner received by the chain, and the node wallet's change apart. */
export function Payouts({ payouts }: { payouts: readonly Payout[] }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const format = useFormat()
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('payouts.title')}</h2>
        <span className="text-xs text-ink-3">{t('payouts.note')}</span>
        {payouts.length > 0 ? (
          <Button
            kind="ghost"
            size="sm"
            className="ms-auto"
            icon={<Icon of={Download} size={15} />}
            onClick={() => saveFile('cocoon-payouts.csv', payoutsCsv(payouts), 'text/csv')}
          >
            {t('payouts.export')}
          </Button>
        ) : null}
      </div>
      {payouts.length === 0 ? (
        <EmptyState icon={Receipt} title={t('payouts.none')} text={t('payouts.noneText')} />
      ) : (
        <ScrollRegion label={t('payouts.title')} className="table-scroll mt-0.5">
          <table className="table num">
            <thead>
              <tr>
                <th>{t('column.date')}</th>
                <th>{t('column.state')}</th>
                <th className="end optional">{t('column.adjusted')}</th>
                <th className="end">{t('column.expected')}</th>
                <th className="end">{t('column.ownerReceived')}</th>
                <th className="end">{t('column.nodeWallet')}</th>
                <th className="optional">{t('column.transaction')}</th>
              </tr>
            </thead>
            <tbody>
              {payouts.map((payout) => (
                <tr key={payout.id}>
                  <td className="text-ink-2">{format.dateTime(payout.startedAtMs)}</td>
                  <td
                    className={payout.state === 'failed' ? 'text-danger' : 'text-ink-2'}
                    title={payout.error && said(payout.error)}
                  >
                    <span className="inline-flex items-center gap-1.5">
                      <Icon
                        of={icons[payout.state]}
                        size={15}
                        className={payout.state === 'sending' || payout.state === 'confirming' ? 'spin' : ''}
                      />
                      {t(`payout.${payout.state}`)}
                    </span>
                    {payout.error ? (
                      <span className="block max-w-[24rem] text-xs whitespace-normal">{said(payout.error)}</span>
                    ) : null}
                  </td>
                  <td className="end optional text-ink-2">{format.count(payout.adjustedTokens)}</td>
                  <td className="end text-ink-2">{format.column(payout.expected)}</td>
                  <td className="end">{payout.ownerReceived === undefined ? '–' : format.column(payout.ownerReceived)}</td>
                  <td className="end text-ink-2">
                    {payout.nodeWalletChange === undefined ? '–' : format.column(payout.nodeWalletChange)}
                  </td>
                  <td className="optional">
                    {payout.transactionHash ? (
                      <span className="mono inline-flex items-center gap-1 text-ink-2">
                        <span title={payout.transactionHash}>{shortHash(payout.transactionHash)}</span>
                        <CopyButton
                          value={payout.transactionHash}
                          label={t('action.copyOf', { name: t('column.transaction') })}
                        />
                      </span>
                    ) : (
                      '–'
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </section>
  )
}
