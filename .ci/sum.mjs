/**
 * Sums the reports of the stages that .ci/run noted, one a line: exit code, reports, command.
 * A stage without reports counts as one test; so does a failure that no report accounts for, such
 * as a file that cannot be loaded, a report never written or an error outside all tests.
 */
import { existsSync, readFileSync } from 'node:fs';

/** @param {string} name @returns {{ passed: number, failed: number }} */
function countsOf(name) {
  const file = `build/reports/${name}.json`;
  if (!existsSync(file)) return { passed: 0, failed: 1 };
  const report = JSON.parse(readFileSync(file, 'utf8'));
  if (!report.testResults) return report; // as-pect's, which has the two numbers and no more
  const unloaded = report.testResults.filter(
    (/** @type {{ status: string, assertionResults: unknown[] }} */ suite) =>
      suite.status === 'failed' && suite.assertionResults.length === 0,
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded.length,
  };
}

/** @param {string} line */
function countsOfStage(line) {
  const [code, reports = '-'] = line.split(' ');
  const ok = code === '0';
  if (reports === '-') return { passed: Number(ok), failed: Number(!ok) };
  const counts = reports.split(',').map(countsOf);
  const passed = counts.reduce((sum, count) => sum + count.passed, 0);
  const failed = counts.reduce((sum, count) => sum + count.failed, 0);
  return { passed, failed: failed === 0 && !ok ? 1 : failed };
}

const stages = readFileSync(process.argv[2] ?? '', 'utf8')
  .trim()
  .split('\n')
  .map(countsOfStage);
const passed = stages.reduce((sum, stage) => sum + stage.passed, 0);
const failed = stages.reduce((sum, stage) => sum + stage.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
