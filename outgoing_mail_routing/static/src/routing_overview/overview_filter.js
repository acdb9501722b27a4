import {normalize} from "@web/core/l10n/utils";

/**
 * @param {String} query as typed
 * @param {(String|false)[]} texts
 * @returns {Boolean} whether one of the texts contains it, whatever case and accents
 */
function matches(query, texts) {
    const wanted = normalize(query.trim());
    return texts.some((text) => text && normalize(text).includes(wanted));
}

/**
 * What of the overview is shown for what is searched.
 *
 * A company whose name or server matches is shown with all of its users, any other
 * with those users who match.
 *
 * @param {Object} data the answer of `get_overview`
 * @param {String} query
 * @param {Boolean} onlyIssues
 * @returns {{companies: Object[], others: Object[]}}
 */
export function filterOverview(data, query, onlyIssues) {
    const names = (card) => card.server_ids.map((id) => data.servers[id].name);
    const hasIssue = (card) => !onlyIssues || card.issues.length > 0;
    const isUserShown = (user) =>
        hasIssue(user) && matches(query, [user.name, user.email, ...names(user)]);
    const companies = [];
    for (const company of data.companies) {
        const isMatch = matches(query, [company.name, ...names(company)]);
        const users = company.users.filter(isMatch ? hasIssue : isUserShown);
        if (users.length || (isMatch && hasIssue(company))) {
            companies.push({...company, users});
        }
    }
    const others = data.others.filter(
        (server) => hasIssue(server) && matches(query, names(server))
    );
    return {companies, others};
}
